//! Connections are spread over the workers, and pictures on all of them are counted.

use crate::support::{
    form::Form,
    gateway::{Installation, Serving},
    rawsocket::Raw,
};
use std::{collections::BTreeMap, fs};

const KEPT: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn kept_connections_of_one_proxy_use_every_worker_and_each_picture_is_counted_once() {
    let place = Installation::new().await;
    place.change("drain_delay_s = 0", "drain_delay_s = 0, workers = 4");
    let key = place.customer("u1", 1_000);
    let gateway = place.serve();
    let mut connections = Vec::new();
    for _ in 0..KEPT {
        connections.push(Raw::connect(gateway.public).await);
    }
    let request = picture(&key);
    for round in 0..3 {
        let before = worked(&gateway);
        for connection in &mut connections {
            connection.send_bytes(&request).await;
        }
        for connection in &mut connections {
            let (head, _) = connection.answer().await;
            assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        }
        let after = worked(&gateway);
        assert_eq!(after.len(), 3, "beside the first one, which is the main thread: {after:?}");
        for (name, ran) in &after {
            assert!(ran > &before[name], "round {round}: {name} has served nothing: {before:?}, then {after:?}");
        }
    }
    assert_eq!(gateway.person(&key).used().await, 3 * KEPT as u64);
}

/// A request with a picture, byte by byte.
fn picture(key: &str) -> Vec<u8> {
    let (content_type, body) = (Form::content_type(), Form::with_picture().body());
    let head = format!(
        "POST /rmbg HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

/// For how many nanoseconds each worker has run.
fn worked(gateway: &Serving) -> BTreeMap<String, u64> {
    let threads = fs::read_dir(format!("/proc/{}/task", gateway.process.0.id())).unwrap();
    let threads = threads.map(|thread| thread.unwrap().path());
    let named = threads.filter_map(|path| Some((fs::read_to_string(path.join("comm")).ok()?, path)));
    named
        .filter(|(name, _)| name.starts_with("worker-"))
        .map(|(name, path)| {
            let ran = fs::read_to_string(path.join("schedstat")).unwrap();
            (name.trim().to_owned(), ran.split(' ').next().unwrap().parse().unwrap())
        })
        .collect()
}
