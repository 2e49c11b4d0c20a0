//! What is connected to, and what is not.

use super::*;
use std::net::Ipv6Addr;

/// This machine, in every form that an IPv6 address can hold it.
const LOOPBACK_IN_IPV6: [&str; 13] = [
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b:1::127.0.0.1",
    "64:ff9b:1:7f00:0:100::",
    "2002:7f00:1::1",
    "2001:0:7f00:1::1",
    "2001::80ff:fffe",
    "2a00:1450:4001::5efe:127.0.0.1",
    "2a00:1450:4001::200:5efe:127.0.0.1",
    "::",
];

fn reach(networks: &[&str], listeners: &[&str]) -> Reach {
    Reach {
        networks: networks.iter().map(|text| text.parse().unwrap()).collect(),
        listeners: listeners.iter().map(|text| text.parse().unwrap()).collect(),
    }
}

#[test]
fn the_internet_is_open_on_two_ports_and_allowed_networks_on_all() {
    let reach = reach(&["10.1.2.3", "fd00:1::/32"], &["127.0.0.1:8080"]);
    for (address, way) in [
        ("93.184.215.14:80", Some(Way::Public)),
        ("93.184.215.14:443", Some(Way::Public)),
        ("93.184.215.14:8080", None),
        ("93.184.215.14:22", None),
        ("[2a00:1450:4001::1]:443", Some(Way::Public)),
        ("[2a00:1450:4001::1]:444", None),
        ("[64:ff9b::93.184.215.14]:443", Some(Way::Public)),
        ("10.1.2.3:9000", Some(Way::Allowed)),
        ("10.1.2.3:80", Some(Way::Allowed)),
        ("[::ffff:10.1.2.3]:9000", Some(Way::Allowed)),
        ("[64:ff9b::10.1.2.3]:9000", Some(Way::Allowed)),
        ("[2002:a01:203::1]:9000", None),
        ("[::10.1.2.3]:9000", None),
        ("10.1.2.4:80", None),
        ("[fd00:1:2::3]:9000", Some(Way::Allowed)),
        ("[fd00:2::3]:80", None),
        ("169.254.169.254:80", None),
        ("127.0.0.1:80", None),
        ("0.0.0.0:80", None),
    ] {
        assert_eq!(reach.judge(address.parse().unwrap()), way, "{address}");
    }
    for form in LOOPBACK_IN_IPV6 {
        let address = SocketAddr::new(form.parse().unwrap(), 80);
        assert_eq!(reach.judge(address), None, "{form}");
    }
}

#[test]
fn our_own_listeners_stay_closed_wherever_they_are_bound() {
    let everything = ["0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"];
    for (listener, address, way) in [
        ("127.0.0.1:8080", "127.0.0.1:8080", None),
        ("127.0.0.1:8080", "[::ffff:127.0.0.1]:8080", None),
        ("127.0.0.1:8080", "[::127.0.0.1]:8080", None),
        ("127.0.0.1:8080", "[64:ff9b::127.0.0.1]:8080", None),
        ("127.0.0.1:8080", "[64:ff9b:1:7f00:0:100::]:8080", None),
        ("127.0.0.1:8080", "[2002:7f00:1::1]:8080", None),
        ("127.0.0.1:8080", "[2001:0:7f00:1::1]:8080", None),
        ("127.0.0.1:8080", "[2001::80ff:fffe]:8080", None),
        ("127.0.0.1:8080", "0.0.0.0:8080", None),
        ("127.0.0.1:8080", "[::]:8080", None),
        ("127.0.0.1:8080", "127.0.0.1:9000", Some(Way::Allowed)),
        ("127.0.0.1:8080", "127.0.0.2:8080", Some(Way::Allowed)),
        ("[::ffff:127.0.0.1]:8080", "127.0.0.1:8080", None),
        ("0.0.0.0:8080", "127.0.0.1:8080", None),
        ("0.0.0.0:8080", "127.9.9.9:8080", None),
        ("[::]:8080", "127.0.0.1:8080", None),
        ("[::]:8080", "[::ffff:127.0.0.1]:8080", None),
        ("0.0.0.0:443", "192.0.2.1:443", Some(Way::Allowed)),
        ("[::]:443", "192.0.2.1:443", Some(Way::Allowed)),
        ("0.0.0.0:8080", "0.0.0.0:9000", None),
    ] {
        let reach = reach(&everything, &[listener]);
        assert_eq!(reach.judge(address.parse().unwrap()), way, "{address} with a listener at {listener}");
    }
}

#[tokio::test]
async fn without_an_allowed_network_nothing_here_is_connected_to_by_name_or_by_address() {
    let server = Server::start(|_| picture()).await;
    for form in LOOPBACK_IN_IPV6.into_iter().chain(["127.0.0.1", "127.8.8.8", "0.0.0.0", "169.254.169.254"]) {
        let address: IpAddr = form.parse().unwrap();
        let names = Names::of(&[("evil.test", &[&[form]])]);
        let fetcher = fetcher(&[], &names);
        let literal = if address.is_ipv6() { format!("[{form}]") } else { form.to_owned() };
        for url in [server.url("evil.test", "/"), server.url(&literal, "/")] {
            let refused = cause(fetch(&fetcher, &url).await);
            let at = SocketAddr::new(address.to_canonical(), server.address.port());
            assert!(matches!(refused, Cause::Refused(refused) if refused == at), "{url} at {form}: {refused}");
        }
    }
    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn other_spellings_of_an_address_are_not_looked_up() {
    let server = Server::start(|_| picture()).await;
    let names = Names::of(&[]);
    for host in ["127.1", "0x7f.1", "0177.0.0.1", "2130706433", "0x7f000001", "１２７.1", "127.0.0.1."] {
        let refused = cause(fetch(&fetcher(&[], &names), &server.url(host, "/")).await);
        assert!(matches!(refused, Cause::Refused(at) if at == server.address), "{host}: {refused}");
        let fetched = fetch_whole(&fetcher(&["127.0.0.1"], &names), &server.url(host, "/")).await;
        assert_eq!(fetched.unwrap(), PICTURE, "{host}");
    }
    assert_eq!(names.asked(), [""; 0]);
}

/// Two servers on one port of different addresses.
async fn two_servers() -> (Server, Server) {
    for _ in 0..64 {
        let first = Server::start(|_| picture()).await;
        let beside = format!("127.0.0.2:{}", first.address.port());
        // Somebody else's socket may have the port on the other address.
        if std::net::TcpListener::bind(&beside).is_ok() {
            let again = format!("/again?{}", first.address.port());
            let second = Server::at(&beside, None, move |path| match path {
                "/away" => redirect(&again),
                _ => picture(),
            });
            return (first, second.await);
        }
    }
    panic!("no port is free on both");
}

#[tokio::test]
async fn a_name_that_changes_its_answer_is_judged_by_each_answer_it_gave() {
    let (secret, public) = two_servers().await;
    let names = Names::of(&[("evil.test", &[&["127.0.0.2"], &["127.0.0.1"]])]);
    let fetcher = fetcher(&["127.0.0.2"], &names);
    let url = public.url("evil.test", "/");
    assert_eq!(fetch_whole(&fetcher, &url).await.unwrap(), PICTURE);
    assert_eq!(names.asked().len(), 1, "the address that was judged is the one that is connected to");
    let refused = cause(fetch(&fetcher, &url).await);
    assert!(matches!(refused, Cause::Refused(at) if at == secret.address), "{refused}");
    assert_eq!((secret.accepted(), public.accepted()), (0, 1));
}

#[tokio::test]
async fn a_name_that_changes_its_answer_between_redirects_is_judged_anew() {
    let (secret, public) = two_servers().await;
    let names = Names::of(&[("evil.test", &[&["127.0.0.2"], &["127.0.0.1"]])]);
    let refused = cause(fetch(&fetcher(&["127.0.0.2"], &names), &public.url("evil.test", "/away")).await);
    assert!(matches!(refused, Cause::Refused(at) if at == secret.address), "{refused}");
    assert_eq!((secret.accepted(), public.accepted(), names.asked().len()), (0, 1, 2));
}

#[tokio::test]
async fn of_several_addresses_those_that_may_be_are_tried_in_their_order() {
    let (secret, public) = two_servers().await;
    let closed = "127.0.0.3";
    for list in [&["127.0.0.1", "127.0.0.2"][..], &["10.0.0.1", closed, "::1", "127.0.0.2", "127.0.0.1"]] {
        let names = Names::of(&[("several.test", &[list])]);
        let fetched = fetch_whole(&fetcher(&["127.0.0.2", closed], &names), &public.url("several.test", "/")).await;
        assert_eq!(fetched.unwrap(), PICTURE, "{list:?}");
    }
    assert_eq!((secret.accepted(), public.accepted()), (0, 2));
    let many = Names::of(&[("many.test", &[&[closed, closed, closed, closed, "127.0.0.2"]])]);
    let unreached = cause(fetch(&fetcher(&["127.0.0.2", closed], &many), &public.url("many.test", "/")).await);
    assert!(matches!(unreached, Cause::Unreached { .. }), "four are tried and no more: {unreached}");
}

#[tokio::test]
async fn our_own_listener_is_not_fetched_from_although_its_network_is_allowed() {
    let server = Server::start(|_| picture()).await;
    let any = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), server.address.port());
    for listener in [server.address, any] {
        let mut fetcher = on_loopback();
        fetcher.reach.listeners = vec![listener];
        let refused = cause(fetch(&fetcher, &server.url("store.test", "/")).await);
        assert!(matches!(refused, Cause::Refused(at) if at == server.address), "{refused}");
    }
    assert_eq!(server.accepted(), 0);
}
