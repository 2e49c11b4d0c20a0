//! The time limits of a connection. The clock is paused: no test waits.

use super::*;
use crate::{
    edge::listener::{ConnectionRules, Snapshot},
    telemetry::ConnectionMetrics,
};
use arc_swap::ArcSwap;
use axum::{
    Router,
    body::{Body, Bytes},
    routing::{get, post},
};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioExecutor;
use std::net::Ipv4Addr;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    time::Instant,
};

const HEAD: Duration = Duration::from_secs(15);
const IDLE: Duration = Duration::from_secs(90);
/// How long common load balancers keep an unused connection.
const UNUSED: Duration = Duration::from_secs(75);

/// The longest time until an answer begins, and the slowest client.
const STUCK: Duration = Duration::from_secs(450);
const RATE: TransferRate = TransferRate { grace: Duration::from_secs(30), bytes_per_second: 16 << 10 };
/// Bytes of an answer that no buffer takes whole, and of each of its pieces.
const LARGE: usize = 1 << 20;
const PIECE: usize = 64 << 10;

fn large() -> Response<Body> {
    let pieces = std::iter::repeat_n(Bytes::from(vec![0; PIECE]), LARGE / PIECE);
    let body = Body::from_stream(futures_util::stream::iter(pieces.map(Ok::<_, io::Error>)));
    Response::builder().header("content-length", LARGE).body(body).unwrap()
}

/// The client's end of a connection that is served.
fn connected() -> DuplexStream {
    let rules = ConnectionRules {
        connections: 9,
        connections_per_client: 9,
        proxy_protocol_from: Vec::new(),
        head_timeout: HEAD,
        idle_timeout: IDLE,
    };
    let early = post(async |body: Body| {
        tokio::spawn(body.collect());
        "early\n"
    });
    let routes = Router::new()
        .route("/", get(async || "ok\n"))
        .route("/early", early)
        .route("/large", get(async || large()))
        .route("/stuck", get(std::future::pending::<()>));
    let limits = ConnectionLimits::new(rules, ConnectionMetrics::unseen().unwrap());
    let live = Arc::new(ArcSwap::from_pointee(Snapshot {
        routes: routes.into(),
        uncounted: Vec::new(),
        request_timeout: STUCK,
        transfer_rate: RATE,
        grace: Duration::ZERO,
    }));
    let handler = Arc::new(ConnectionHandler { limits, tls: None, live, stop: CancellationToken::new() });
    let (client, server) = duplex(64 << 10);
    tokio::spawn(handler.converse(server, (Ipv4Addr::LOCALHOST, 4711).into()));
    client
}

async fn answer(client: &mut DuplexStream) -> String {
    let mut said = Vec::new();
    while !said.ends_with(b"\r\n\r\nok\n") && !said.ends_with(b"\r\n\r\nearly\n") {
        assert!(client.read_buf(&mut said).await.unwrap() > 0, "{}", String::from_utf8_lossy(&said));
    }
    String::from_utf8(said).unwrap()
}

/// How long it takes until the server closes.
async fn closes_after(client: &mut DuplexStream) -> Duration {
    let begun = Instant::now();
    assert_eq!(client.read_buf(&mut Vec::new()).await.unwrap(), 0);
    begun.elapsed()
}

fn about(time: Duration, expected: Duration) -> bool {
    time >= expected && time < expected + Duration::from_secs(2)
}

#[tokio::test(start_paused = true)]
async fn a_kept_connection_is_there_after_75_idle_seconds_and_ends_after_its_own_time() {
    let mut client = connected();
    for _ in 0..3 {
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        answer(&mut client).await;
        sleep(UNUSED).await;
    }
    client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    answer(&mut client).await;
    let after = closes_after(&mut client).await;
    assert!(about(after, IDLE), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_upload_was_answered_early_is_idle_as_long_as_any() {
    let mut client = connected();
    client.write_all(b"POST /early HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n1234").await.unwrap();
    answer(&mut client).await;
    client.write_all(b"56789").await.unwrap();
    sleep(UNUSED).await;
    client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    answer(&mut client).await;
}

#[tokio::test(start_paused = true)]
async fn a_head_has_its_time_from_its_first_byte_on_first_or_later() {
    for served_before in [false, true] {
        let mut client = connected();
        if served_before {
            client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            answer(&mut client).await;
            sleep(UNUSED).await;
        }
        let begun = Instant::now();
        for byte in b"GET / HTTP/1.1\r\nhost: xxxxxxxxxxxxxxxxxxxxxxxx".chunks(1) {
            if client.write_all(byte).await.is_err() {
                break;
            }
            sleep(Duration::from_secs(1)).await;
        }
        let after = begun.elapsed();
        assert!(after >= HEAD && after < HEAD * 2, "{after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn http2_is_kept_and_ended_by_the_same_times() {
    let stream = TokioIo::new(connected());
    let (mut client, connection) =
        hyper::client::conn::http2::handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), stream).await.unwrap();
    let end = tokio::spawn(async move {
        let _ = connection.await;
        Instant::now()
    });
    for _ in 0..3 {
        let request = Request::get("http://x/").body(Empty::new()).unwrap();
        assert_eq!(client.send_request(request).await.unwrap().status(), 200);
        sleep(UNUSED).await;
        assert!(!end.is_finished());
    }
    let last = Instant::now() - UNUSED;
    let after = end.await.unwrap() - last;
    assert!(about(after, IDLE), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_has_its_time_by_its_size_whatever_was_served_before() {
    let seconds = RATE.time_for(LARGE as u64).as_secs();
    for (pause, is_whole) in [(seconds - 1, true), (seconds + 1, false)] {
        let pause = Duration::from_secs(pause);
        let mut client = connected();
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        answer(&mut client).await;
        sleep(UNUSED).await;
        client.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        sleep(pause).await;
        let mut said = Vec::new();
        client.read_to_end(&mut said).await.unwrap();
        assert_eq!(said.len() > LARGE, is_whole, "{} bytes after {pause:?}", said.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_stuck_ends_its_connection() {
    let mut client = connected();
    client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    answer(&mut client).await;
    client.write_all(b"GET /stuck HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let after = closes_after(&mut client).await;
    assert!(about(after, STUCK), "{after:?}");
}
