//! Where redirects lead.

use super::*;

#[tokio::test]
async fn three_redirects_are_followed_and_a_fourth_is_not() {
    let server = Server::start(|path| match path {
        "/4" => redirect("/3"),
        "/3" => redirect("2"),
        "/2" => redirect("?1"),
        "/2?1" => {
            answer("HTTP/1.1 308 Permanent Redirect\r\nset-cookie: a=b\r\nlocation: /0#x\r\ncontent-length: 0", b"")
        }
        _ => picture(),
    })
    .await;
    let fetcher = on_loopback();
    assert_eq!(fetch_whole(&fetcher, &server.url("store.test", "/3")).await.unwrap(), PICTURE);
    let heads = server.heads();
    let lines: Vec<_> = heads.iter().map(|head| head.lines().next().unwrap()).collect();
    assert_eq!(lines, ["GET /3 HTTP/1.1", "GET /2 HTTP/1.1", "GET /2?1 HTTP/1.1", "GET /0 HTTP/1.1"]);
    let rest = |head: &String| head.split_once("\r\n").unwrap().1.to_owned();
    assert!(heads.iter().all(|head| rest(head) == rest(&heads[0])), "no cookie and no referrer: {heads:?}");
    let failed = cause(fetch(&fetcher, &server.url("store.test", "/4")).await);
    assert!(matches!(failed, Cause::TooManyRedirects), "{failed}");
    assert_eq!(server.heads().len(), 8, "the fifth request is not made");
}

#[tokio::test]
async fn every_kind_of_redirect_is_one() {
    for status in [301, 302, 303, 307, 308] {
        let server = Server::start(move |path| match path {
            "/" => answer(&format!("HTTP/1.1 {status} x\r\nlocation: /there\r\ncontent-length: 3"), b"abc"),
            _ => picture(),
        });
        let server = server.await;
        assert_eq!(fetch_whole(&on_loopback(), &server.url("store.test", "/")).await.unwrap(), PICTURE, "{status}");
    }
}

#[tokio::test]
async fn a_redirect_into_a_network_that_is_not_allowed_leads_nowhere() {
    let secret = Server::start(|_| picture()).await;
    let port = secret.address.port();
    let places = ["127.0.0.1", "127.1", "[::ffff:127.0.0.1]", "[::1]", "[64:ff9b::7f00:1]", "localhost.test"];
    let names = Names::of(&[("localhost.test", &[&["127.0.0.1"]])]);
    for place in places {
        let there = format!("http://{place}:{port}/");
        let public = Server::at("127.0.0.2:0", None, move |_| redirect(&there)).await;
        let refused = cause(fetch(&fetcher(&["127.0.0.2"], &names), &public.url("127.0.0.2", "/")).await);
        assert!(matches!(refused, Cause::Refused(_)), "{place}: {refused}");
        assert_eq!(public.accepted(), 1, "{place}");
    }
    assert_eq!(secret.accepted(), 0);
}

#[tokio::test]
async fn a_redirect_to_what_is_no_web_address_leads_nowhere() {
    let here = "http://ann:hush@127.0.0.1/";
    for there in ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1:6379/_x", "data:,x", "http://", here] {
        let server = Server::start(move |_| redirect(there)).await;
        let failed = cause(fetch(&on_loopback(), &server.url("store.test", "/")).await);
        assert!(matches!(failed, Cause::Redirect), "{there}: {failed}");
    }
    let long = format!("/{}", "a".repeat(10_000));
    for head in [
        "HTTP/1.1 302 Found",
        &format!("HTTP/1.1 302 Found\r\nlocation: {long}"),
        "HTTP/1.1 302 x\r\nlocation: /\u{ff}",
    ] {
        let head = format!("{head}\r\ncontent-length: 0\r\n\r\n").replace('\u{ff}', "\u{1}").into_bytes();
        let head: Vec<u8> = head.into_iter().map(|byte| if byte == 1 { 0xff } else { byte }).collect();
        let server = Server::start(move |_| Manner::Send(head.clone())).await;
        let failed = cause(fetch(&on_loopback(), &server.url("store.test", "/")).await);
        assert!(matches!(failed, Cause::Redirect), "{failed}");
    }
}
