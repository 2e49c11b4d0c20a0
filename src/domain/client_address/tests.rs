use super::*;
use proptest::prelude::*;

const PEER: &str = "10.0.0.9";

fn proxies(header: ForwardingHeader) -> TrustedProxies {
    let networks = ["10.0.0.0/8", "2001:db8:ffff::/48"].map(|text| text.parse().unwrap());
    TrustedProxies { networks: networks.to_vec(), header }
}

fn client(header: ForwardingHeader, peer: &str, lines: &[&str]) -> String {
    let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
    proxies(header).client_ip(peer.parse().unwrap(), lines).to_string()
}

#[test]
fn the_client_is_the_first_stranger_from_the_right() {
    let table: &[(&[&str], &str)] = &[
        (&[], PEER),
        (&["203.0.113.7"], "203.0.113.7"),
        (&["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
        (&["203.0.113.7, 10.1.1.1"], "203.0.113.7"),
        (&["198.51.100.1, 203.0.113.7,10.1.1.1 ,\t10.2.2.2"], "203.0.113.7"),
        (&["198.51.100.1", "203.0.113.7", "10.1.1.1"], "203.0.113.7"),
        (&["10.3.3.3, 10.1.1.1"], "10.3.3.3"),
        (&["203.0.113.7:4711"], "203.0.113.7"),
        (&["2001:db8::1"], "2001:db8::1"),
        (&["[2001:db8::1]"], "2001:db8::1"),
        (&["[2001:db8::1]:4711"], "2001:db8::1"),
        (&["::ffff:203.0.113.7"], "203.0.113.7"),
        (&["203.0.113.7, ::ffff:10.1.1.1"], "203.0.113.7"),
        (&["203.0.113.7, 2001:db8:ffff::1"], "203.0.113.7"),
        // Strangers may write anything to the left of the address that our proxy saw.
        (&["garbage, 203.0.113.7"], "203.0.113.7"),
        (&["\"open quote, 203.0.113.7"], "203.0.113.7"),
        (&["garbage", "203.0.113.7"], "203.0.113.7"),
    ];
    for (lines, expected) in table {
        assert_eq!(client(ForwardingHeader::XForwardedFor, PEER, lines), *expected, "{lines:?}");
    }
}

#[test]
fn a_malformed_chain_falls_back_to_the_peer() {
    for line in [
        "",
        "garbage",
        "203.0.113.7, ",
        "203.0.113.7, garbage, 10.1.1.1",
        "203.0.113.7 198.51.100.1",
        "203.0.113.256",
        "[203.0.113.7]",
        "203.0.113.7:port",
        "fe80::1%eth0",
        "unknown",
        "\"203.0.113.7\"",
    ] {
        assert_eq!(client(ForwardingHeader::XForwardedFor, PEER, &[line]), PEER, "{line:?}");
    }
    let raw: [&[u8]; 1] = [b"203.0.113.\xff"];
    let trusted = proxies(ForwardingHeader::XForwardedFor);
    assert_eq!(trusted.client_ip(PEER.parse().unwrap(), raw).to_string(), PEER);
}

#[test]
fn forwarded_is_read_as_rfc_7239_writes_it() {
    let table: &[(&[&str], &str)] = &[
        (&["for=203.0.113.7"], "203.0.113.7"),
        (&["For=\"203.0.113.7:4711\";proto=https;by=10.0.0.1"], "203.0.113.7"),
        (&["proto=https; FOR=\"[2001:db8::1]:4711\""], "2001:db8::1"),
        (&["for=\"[2001:db8::1]\", for=10.1.1.1"], "2001:db8::1"),
        (&["for=198.51.100.1, for=203.0.113.7", "for=10.1.1.1"], "203.0.113.7"),
        (&["for=203.0.113.7;host=\"a,for=198.51.100.1\""], "203.0.113.7"),
        (&["for=203.0.113.7;host=\"a\\\",for=198.51.100.1\""], "203.0.113.7"),
        (&["for=\"evil, for=203.0.113.7"], "203.0.113.7"),
        (&["for=\"evil, for=\"[2001:db8::1]:80\""], "2001:db8::1"),
        (&["for=unknown"], PEER),
        (&["for=_hidden"], PEER),
        (&["for=203.0.113.7, for=_hidden"], PEER),
        (&["for=203.0.113.7;for=198.51.100.1"], PEER),
        (&["proto=https"], PEER),
        (&["203.0.113.7"], PEER),
        (&["for=\"203.0.113.7"], PEER),
        (&["for="], PEER),
    ];
    for (lines, expected) in table {
        assert_eq!(client(ForwardingHeader::Forwarded, PEER, lines), *expected, "{lines:?}");
    }
}

#[test]
fn one_client_is_an_ipv4_address_or_an_ipv6_64() {
    for (address, counted) in [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::6", "2001:db8:1:3::/64"),
        ("::1", "::/64"),
    ] {
        assert_eq!(ClientAddress::of(address.parse().unwrap()).0.as_str(), counted, "{address}");
    }
}

fn header() -> impl Strategy<Value = ForwardingHeader> {
    prop_oneof![Just(ForwardingHeader::XForwardedFor), Just(ForwardingHeader::Forwarded)]
}

/// Lines made of the pieces that mean something, and of anything at all.
fn lines() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            ",",
            ";",
            "\"",
            "\\",
            "=",
            "for=",
            "For=\"",
            "[",
            "]",
            ":80",
            "unknown",
            "_x",
            " ",
            "10.1.1.1",
            "2001:db8::1",
            "203.0.113.7",
            "::ffff:1.2.3.4",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..4),
    ];
    let line = prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat());
    prop::collection::vec(line, 0..4)
}

proptest! {
    #[test]
    fn an_untrusted_peer_is_the_client_whatever_it_writes(
        header in header(), peer in any::<std::net::Ipv6Addr>(), lines in lines(),
    ) {
        let proxies = proxies(header);
        let peer = IpAddr::V6(peer);
        prop_assume!(!proxies.trusts(unmapped(peer)));
        prop_assert_eq!(proxies.client_ip(peer, lines.iter().map(Vec::as_slice)), unmapped(peer));
    }

    #[test]
    fn what_strangers_write_on_the_left_never_matters(header in header(), lines in lines(), same_line in any::<bool>()) {
        let ours = match header {
            ForwardingHeader::XForwardedFor => "203.0.113.7".to_owned(),
            ForwardingHeader::Forwarded => "for=203.0.113.7;host=\"a,b\"".to_owned(),
        };
        let mut lines = lines;
        match lines.last_mut() {
            Some(last) if same_line => {
                last.push(b',');
                last.extend_from_slice(ours.as_bytes());
            }
            _ => lines.push(ours.into_bytes()),
        }
        let client = proxies(header).client_ip(PEER.parse().unwrap(), lines.iter().map(Vec::as_slice));
        prop_assert_eq!(client.to_string(), "203.0.113.7");
    }
}
