//! Slow clients, and too many of them: each costs a socket and a little memory, for a while.

use crate::{
    backend::Manner,
    form::{Form, png},
    rawsocket::Raw,
    world::World,
};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rembg_gateway::config::{Bytes, Config};
use std::time::Duration;
use tokio::{net::TcpStream, time::Instant};

/// A client that trickles sends one byte in a tenth of this time.
const SHORT: Duration = Duration::from_secs(1);

fn impatient(config: &mut Config) {
    config.listen.head_timeout_s = SHORT.as_secs();
    config.listen.idle_timeout_s = SHORT.as_secs();
    config.limits.transfer_grace_s = SHORT.as_secs();
    config.limits.transfer_min_rate = Bytes(64 << 20);
}

#[tokio::test]
async fn who_says_nothing_or_trickles_a_head_is_hung_up_on() {
    let world = World::with(impatient).await;
    for start in ["", "G", "PRI * HTTP/2.0\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "POST /rmbg HTTP/1.1\r\nx-slow: "]
    {
        let begun = Instant::now();
        let mut raw = Raw::connect(world.app.public).await;
        raw.send(start).await;
        let trickle = async {
            if start.ends_with("slow: ") {
                raw.trickle(&[b'a'; 600], SHORT / 10).await;
            }
            raw.rest().await
        };
        let said =
            tokio::time::timeout(SHORT * 20, trickle).await.unwrap_or_else(|_| panic!("{start:?} was left alone"));
        assert!(!said.contains(" 200 "), "{said}");
        assert!(begun.elapsed() >= SHORT / 2, "{start:?} got no time at all");
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let world = World::with(impatient).await;
    let mut raw = Raw::connect(world.app.public).await;
    for _ in 0..2 {
        raw.send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert_eq!(raw.answer().await.1, "ok\n", "and serves until then");
    }
    assert_eq!(raw.rest().await, "");
}

#[tokio::test]
async fn a_later_head_that_trickles_is_hung_up_on_however_long_a_connection_may_be_idle() {
    let world = World::with(|config| {
        impatient(config);
        config.listen.idle_timeout_s = 3_600;
    })
    .await;
    let mut raw = Raw::connect(world.app.public).await;
    raw.send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(raw.answer().await.1, "ok\n");
    raw.send("GET /healthz HTTP/1.1\r\nx-slow: ").await;
    let trickle = async {
        raw.trickle(&[b'a'; 600], SHORT / 10).await;
        raw.rest().await
    };
    assert_eq!(tokio::time::timeout(SHORT * 20, trickle).await.expect("it was cut off"), "");
}

#[tokio::test]
async fn http2_connections_that_are_flooded_are_ended() {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let world = World::start().await;
    let ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    let (settings, priority) = ([0, 0, 0, 4, 0, 0, 0, 0, 0], [0, 0, 5, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
    for frame in [&ping[..], &settings, &priority] {
        let mut raw = Raw::connect(world.app.public).await;
        raw.send_bytes(PREFACE).await;
        let flood = frame.repeat(100);
        let sent = async {
            let mut sent = 0;
            while raw.sends_and_reads(&flood).await {
                sent += 100;
                assert!(sent < 1_000_000, "frames of kind {} are answered for ever", frame[3]);
            }
            sent
        };
        let sent = tokio::time::timeout(SHORT * 20, sent).await.expect("the connection was ended");
        assert!(sent >= 900, "after {sent} frames of kind {}", frame[3]);
        let said = raw.said();
        assert!(said.windows(9).any(|head| head[3] == 7 && head[..3] == [0, 0, 8]), "GOAWAY comes before the end");
    }
}

#[tokio::test]
async fn an_idle_http2_connection_is_closed_though_it_answers_pings() {
    let world = World::with(impatient).await;
    let stream = TcpStream::connect(world.app.public).await.unwrap();
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = hyper::Request::get("http://x/healthz").body(String::new()).unwrap();
    assert_eq!(client.send_request(request).await.unwrap().status(), 200);
    let end = tokio::time::timeout(SHORT * 20, connection).await.expect("it was closed");
    drop((end, client));
}

#[tokio::test]
async fn a_trickled_upload_is_cut_off_and_costs_nothing() {
    let world = World::with(impatient).await;
    let ann = world.customer("ann", 10).await;
    let body = Form::with_picture().body();
    for framing in [format!("content-length: {}", body.len()), "transfer-encoding: chunked".into()] {
        let mut raw = Raw::connect(world.app.public).await;
        let key = &ann.headers[0].1;
        let kind = Form::content_type();
        raw.send(&format!(
            "POST /rmbg HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-type: {kind}\r\n{framing}\r\n\r\n"
        ))
        .await;
        raw.trickle(b"1\r\n-\r\n1\r\n-\r\n1\r\n-\r\n", SHORT / 10).await;
        let answer = raw.head().await;
        assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
    }
    world.nothing_held().await;
    assert_eq!(ann.used().await, 0);
}

#[tokio::test]
async fn an_upload_that_keeps_up_the_rate_may_take_longer_than_the_grace() {
    let world = World::with(|config| {
        impatient(config);
        config.limits.transfer_min_rate = Bytes(1);
    })
    .await;
    let ann = world.customer("ann", 10).await;
    let mut raw = Raw::connect(world.app.public).await;
    let body = Form::with_picture().body();
    let (key, kind, length) = (&ann.headers[0].1, Form::content_type(), body.len());
    raw.send(&format!(
        "POST /rmbg HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n"
    ))
    .await;
    let begun = Instant::now();
    raw.trickle(&body[..20], SHORT / 10).await;
    assert!(begun.elapsed() > SHORT);
    raw.send_bytes(&body[20..]).await;
    let answer = raw.head().await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn who_does_not_read_the_answer_does_not_keep_it_in_memory() {
    let world = World::with(impatient).await;
    let ann = world.customer("ann", 10).await;
    let picture = vec![7; 48 << 20];
    world.backend.will(Manner::Answer { status: 200, content_type: "image/png", body: picture });
    let mut raw = Raw::connect(world.app.public).await;
    let body = Form::empty().image("a.png", &png(2, 2)).body();
    let (key, kind, length) = (&ann.headers[0].1, Form::content_type(), body.len());
    raw.send(&format!(
        "POST /rmbg HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n"
    ))
    .await;
    raw.send_bytes(&body).await;
    assert!(raw.head().await.starts_with("HTTP/1.1 200 "));
    let used = || async {
        world.metric(r#"rgw_body_budget_used_bytes{kind="memory"}"#).await
            + world.metric(r#"rgw_body_budget_used_bytes{kind="disk"}"#).await
    };
    let given_back = async {
        while used().await > 0.5 {
            tokio::time::sleep(SHORT / 20).await;
        }
    };
    tokio::time::timeout(SHORT * 20, given_back).await.expect("the answer was let go of");
    assert_eq!(ann.used().await, 1, "it was served all the same");
}

#[tokio::test]
async fn slow_uploads_that_fill_the_spool_block_nobody_else() {
    let world = World::with(|config| {
        config.limits.spool_budget = Bytes(8 << 20);
        config.limits.max_answer = Bytes(2 << 20);
        config.limits.held_per_client = Some(Bytes(8 << 20));
        config.limits.held_per_account = Some(Bytes(8 << 20));
    })
    .await;
    let ann = world.customer("ann", 10).await;
    let mut file = png(4, 4);
    file.resize(16 << 20, 0);
    let body = Form::empty().image("a.png", &file).body();
    let head = format!(
        "POST /rmbg HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-type: {}\r\ncontent-length: {}\r\n\r\n",
        ann.headers[0].1,
        Form::content_type(),
        body.len()
    );
    let mut slow = Vec::new();
    for (sent, in_files) in [(3 << 20, 2 << 20), (3 << 20, 4 << 20), (3 << 20, 0)] {
        let mut raw = Raw::connect(world.app.public).await;
        raw.send(&head).await;
        raw.send_bytes(&body[..sent]).await;
        world.metric_reaches(r#"rgw_body_budget_used_bytes{kind="disk"}"#, f64::from(in_files)).await;
        slow.push(raw);
    }
    let refused = slow.pop().unwrap().head().await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    let reply = ann.cut(&Form::with_picture()).await;
    assert_eq!(reply.status, 200, "there is room for its answer: {reply:?}");
    drop(slow);
    world.nothing_held().await;
}

#[tokio::test]
async fn who_takes_requests_back_as_fast_as_they_are_made_is_hung_up_on() {
    let world = World::start().await;
    let ann = world.customer("ann", 10_000).await;
    let stream = TcpStream::connect(world.app.public).await.unwrap();
    let (client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let taken_back = |client: &SendRequest<Pending>| {
        let mut client = client.clone();
        let request = hyper::Request::post("http://x/rmbg")
            .header("x-api-key", &ann.headers[0].1)
            .header("content-type", Form::content_type())
            .body(Pending);
        async move {
            client.ready().await?;
            // The request begins and is never answered, because its body does not come.
            tokio::time::timeout(SHORT / 100, client.send_request(request.unwrap()))
                .await
                .map_or(Ok(()), |end| end.map(drop))
        }
    };
    for _ in 0..10 {
        taken_back(&client).await.expect("a few are nobody's business");
    }
    let mut rounds = 0;
    while futures_util::future::join_all((0..60).map(|_| taken_back(&client))).await.iter().all(Result::is_ok) {
        rounds += 1;
        assert!(rounds < 50, "3,000 were taken back and it goes on");
    }
    let _ = tokio::time::timeout(SHORT * 20, connection).await.expect("the connection was closed");
    world.nothing_held().await;
    assert_eq!(ann.used().await, 0);
}

/// A body that never comes.
struct Pending;

impl hyper::body::Body for Pending {
    type Data = &'static [u8];
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

#[tokio::test]
async fn one_client_has_so_many_connections_and_no_more() {
    let world = World::with(|config| config.limits.connections_per_client = 2).await;
    let mut first = Raw::connect(world.app.public).await;
    let mut second = Raw::connect(world.app.public).await;
    for raw in [&mut first, &mut second] {
        raw.send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert_eq!(raw.answer().await.1, "ok\n");
    }
    let mut third = Raw::connect(world.app.public).await;
    third.try_send(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(third.rest().await, "", "the third is closed without an answer");
    let counted = world.metric(r#"rgw_rejections_total{by="connections"}"#).await;
    assert!((counted - 1.0).abs() < 0.5, "{counted}");
    drop(first);
    let served_again = async {
        loop {
            let mut raw = Raw::connect(world.app.public).await;
            raw.try_send(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
            if raw.rest().await.contains(" 200 ") {
                return;
            }
        }
    };
    tokio::time::timeout(SHORT * 10, served_again).await.expect("the place is free again");
}

#[tokio::test]
async fn trusted_proxies_have_as_many_connections_as_they_like() {
    let world = World::with(|config| {
        config.limits.connections_per_client = 1;
        config.limits.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let mut connections = Vec::new();
    for _ in 0..3 {
        let mut raw = Raw::connect(world.app.public).await;
        raw.send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert_eq!(raw.answer().await.1, "ok\n");
        connections.push(raw);
    }
}

#[tokio::test]
async fn beyond_all_connections_one_waits_and_is_served_in_the_end() {
    let world = World::with(|config| config.limits.connections = 1).await;
    let mut first = Raw::connect(world.app.public).await;
    first.send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    first.answer().await;
    let mut second = Raw::connect(world.app.public).await;
    second.send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    drop(first);
    assert_eq!(second.answer().await.1, "ok\n");
}
