//! Answers that are not whole, not plain, too long, or never there.

use super::*;

#[tokio::test]
async fn only_a_200_is_a_picture_and_nothing_of_another_answer_is_told() {
    for status in [100, 101, 201, 204, 206, 304, 300, 400, 401, 404, 429, 500, 503] {
        let head = format!("HTTP/1.1 {status} hush\r\nx-hush: hush\r\ncontent-length: 4");
        let server = Server::start(move |_| answer(&head, b"hush")).await;
        let failure = fetch(&on_loopback(), &server.url("store.test", "/hush?hush=hush")).await.unwrap_err();
        assert!(!format!("{failure} {failure:?}").contains("hush"), "{failure}");
        let failed = cause::<()>(Err(failure));
        // An interim answer is none: what follows it here is no head.
        let told = matches!(failed, Cause::Status(told) if told == status);
        assert!(told || (status < 200 && matches!(failed, Cause::BrokenOff(_))), "{status}: {failed}");
    }
}

#[tokio::test]
async fn an_answer_in_a_coding_or_without_a_length_is_no_picture() {
    for (head, coded) in [
        ("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4", true),
        ("HTTP/1.1 200 OK\r\ncontent-encoding: identity, br\r\ncontent-length: 4", true),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked", true),
        ("HTTP/1.1 200 OK", false),
        ("HTTP/1.0 200 OK", false),
    ] {
        let server = Server::start(move |_| answer(head, b"0\r\n\r\n")).await;
        let failed = cause(fetch(&on_loopback(), &server.url("store.test", "/")).await);
        assert_eq!((matches!(failed, Cause::Coded), matches!(failed, Cause::NoLength)), (coded, !coded), "{head}");
    }
}

#[tokio::test]
async fn a_length_that_lies_never_makes_a_picture_longer_and_a_short_one_is_no_picture() {
    let server = Server::start(|path| match path {
        "/long" => answer("HTTP/1.1 200 OK\r\ncontent-length: 5", b"12345HTTP/1.1 200 OK"),
        "/torn" => answer("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked", b"5\r\n12345\r\n"),
        "/two" => answer("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6", b"123456"),
        "/both" => {
            answer("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked", b"5\r\n12345\r\n0\r\n\r\n")
        }
        _ => answer("HTTP/1.1 200 OK\r\ncontent-length: 6", b"12345"),
    })
    .await;
    let fetcher = on_loopback();
    assert_eq!(fetch_whole(&fetcher, &server.url("store.test", "/long")).await.unwrap(), b"12345");
    assert_eq!(fetch_whole(&fetcher, &server.url("store.test", "/both")).await.unwrap(), b"12345");
    for path in ["/short", "/torn", "/two"] {
        let failed = cause(fetch_whole(&fetcher, &server.url("store.test", path)).await);
        assert!(matches!(failed, Cause::BrokenOff(_)), "{path}: {failed}");
    }
}

#[tokio::test]
async fn a_picture_may_be_as_long_as_an_upload_and_no_longer() {
    let server = Server::start(|path| match path {
        "/announced" => answer("HTTP/1.1 200 OK\r\ncontent-length: 11", b""),
        "/endless" => {
            let chunk = b"3\r\nabc\r\n".to_vec();
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
            Manner::SendAndRepeat(head, chunk, 1_000)
        }
        _ => answer("HTTP/1.1 200 OK\r\ncontent-length: 10", b"0123456789"),
    })
    .await;
    let fetcher = Fetcher { longest: 10, ..on_loopback() };
    assert_eq!(fetch_whole(&fetcher, &server.url("store.test", "/")).await.unwrap(), b"0123456789");
    let announced = fetch(&fetcher, &server.url("store.test", "/announced")).await;
    assert!(matches!(announced, Err(NotFetched::TooLarge)), "not a byte of it is read");
    let endless = fetch_whole(&fetcher, &server.url("store.test", "/endless")).await;
    assert!(matches!(endless, Err(NotFetched::TooLarge)));
    server.was_left(1).await;
}

/// Fetches at this pace, with so long until the deadline.
async fn hurried(server: &Server, grace: Duration, left: Duration) -> Cause {
    let fetcher = Fetcher { rate: TransferRate { grace, bytes_per_second: 1 << 20 }, ..on_loopback() };
    let whole = async {
        let mut download = fetcher.fetch(&payer("ann"), &server.url("store.test", "/"), Instant::now() + left).await?;
        while download.next().await?.is_some() {}
        Ok(())
    };
    cause(whole.await)
}

#[tokio::test]
async fn who_does_not_answer_or_drips_is_too_slow_by_the_rate_and_by_the_deadline() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n".to_vec();
    for manner in [
        Manner::SendAndHang(Vec::new()),
        Manner::SendAndHang(b"HTTP/1.1 200 OK\r\n".to_vec()),
        Manner::SendAndHang([&head, PICTURE].concat()),
        Manner::SendAndRepeat(head, b"x".to_vec(), 200),
        Manner::SendAndRepeat(Vec::new(), b"HTTP/1.1 102 Processing\r\n\r\n".to_vec(), 200),
        Manner::SendAndRepeat(b"HTTP/1.1 200 OK\r\n".to_vec(), b"x: y\r\n".to_vec(), 50),
    ] {
        let server = Server::start(move |_| manner.clone()).await;
        let soon = Duration::from_millis(100);
        for (grace, left) in [(soon, LONG), (LONG, soon)] {
            let failed = hurried(&server, grace, left).await;
            assert!(matches!(failed, Cause::TooSlow), "{failed}");
        }
        server.was_left(2).await;
    }
}

#[tokio::test]
async fn what_is_no_http_or_has_a_head_without_end_is_broken_off() {
    let endless =
        Manner::SendAndRepeat(b"HTTP/1.1 200 OK\r\n".to_vec(), format!("x: {}\r\n", "y".repeat(8_000)).into(), 1_000);
    for manner in [Manner::Send(Vec::new()), Manner::Send(b"+OK\r\n$5\r\nredis\r\n".to_vec()), endless] {
        let server = Server::start(move |_| manner.clone()).await;
        let failed = cause(fetch(&on_loopback(), &server.url("store.test", "/")).await);
        assert!(matches!(failed, Cause::BrokenOff(_)), "{failed}");
    }
}

#[tokio::test]
async fn a_download_that_is_dropped_closes_its_connection() {
    let server = Server::start(|_| Manner::SendAndHang(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n".to_vec())).await;
    let download = fetch(&on_loopback(), &server.url("store.test", "/")).await.unwrap();
    drop(download);
    server.was_left(1).await;
}
