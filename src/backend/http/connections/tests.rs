//! Connections to a service on loopback: which are used again, and which are not.

use super::*;
use crate::{
    backend::http::{FormBody, HttpSettings, Part},
    domain::client_address::ClientAddress,
    spool::{Budgets, DiskRules, Holder, Room},
};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time,
};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A service that answers as soon as a request ends like this, and goes on reading. Counts its connections.
async fn service(ends: &'static [u8]) -> (Connections, Arc<AtomicUsize>) {
    let socket = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = format!("http://{}/", socket.local_addr().unwrap()).parse().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = socket.accept().await {
            counting.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let mut read = Vec::new();
                while stream.read_buf(&mut read).await.is_ok_and(|length| length > 0) {
                    if read.ends_with(ends) || read.len() > 64 * 1024 {
                        stream.write_all(ANSWER).await.unwrap();
                        if !read.ends_with(ends) {
                            // It reads no more.
                            return std::future::pending().await;
                        }
                        read.clear();
                    }
                }
            });
        }
    });
    let settings =
        HttpSettings { connect_timeout: Duration::from_secs(20), ca_file: None, health_path: "/".to_owned() };
    (Connections::new(settings.connector().unwrap(), address), count)
}

async fn request(length: usize) -> Request<FormStream> {
    let rules =
        DiskRules { most: u64::MAX, kept_for_answers: 0, max_answer: 0, per_client: u64::MAX, per_account: u64::MAX };
    let holder = Holder { client: ClientAddress("192.0.2.1".into()), account: None };
    let mut room = Room::growing(&Budgets::new(u64::MAX, rules), &holder, u64::MAX);
    room.write(Bytes::from(vec![7; length])).await.unwrap();
    let form = FormBody::new([], Part { name: "image", ..Part::default() }, &Arc::new(room.finish()), []).unwrap();
    let mut request = Request::new(form.into_body(Arc::default()));
    *request.method_mut() = hyper::Method::POST;
    request
}

async fn ask(connections: &Connections, length: usize) {
    let (answer, mut connection) = connections.send(request(length).await).await.unwrap();
    let body = connection.during(pin!(answer.into_body().collect())).await.unwrap().to_bytes();
    assert_eq!(body, "ok");
    connections.keep(connection);
}

#[tokio::test]
async fn a_connection_is_used_again_until_it_has_been_unused_for_long() {
    let (connections, opened) = service(b"--\r\n").await;
    for _ in 0..5 {
        ask(&connections, 100).await;
    }
    assert_eq!(opened.load(Ordering::Relaxed), 1);
    for (asked, now_open) in [(false, 0), (true, 1)] {
        time::pause();
        time::advance(IDLE).await;
        time::resume();
        if asked {
            ask(&connections, 100).await;
        }
        connections.close_old();
        assert_eq!(connections.idle().len(), now_open);
    }
    assert_eq!(opened.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_runtime_uses_its_own_connections_first_and_then_those_of_others() {
    let (connections, opened) = service(b"--\r\n").await;
    ask(&connections, 100).await;
    let elsewhere = async move {
        ask(&connections, 100).await;
        assert_eq!(opened.load(Ordering::Relaxed), 1, "any is better than none");
        let others = connections.take().unwrap();
        ask(&connections, 100).await;
        connections.keep(others);
        ask(&connections, 100).await;
        assert_eq!(opened.load(Ordering::Relaxed), 2);
        let used_last = connections.idle().pop().unwrap();
        assert!(used_last.connection.runtime == Handle::current().id());
    };
    let runtime = || runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::spawn_blocking(move || runtime().block_on(elsewhere)).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_was_answered_before_it_had_sent_all_is_not_used_again() {
    let (connections, opened) = service(b"--\r\n").await;
    ask(&connections, 16 << 20).await;
    assert_eq!(connections.idle().len(), 0);
    ask(&connections, 100).await;
    assert_eq!(opened.load(Ordering::Relaxed), 2);
}
