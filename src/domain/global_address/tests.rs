//! The table, against the registries of special-purpose addresses and against every embedding.

use super::*;
use proptest::prelude::*;

fn global(text: &str) -> bool {
    is_global(text.parse().unwrap())
}

/// The first and last address of each IPv4 network that is not global, and the neighbours that are.
const EDGES: [(&str, &str, &str, &str); 12] = [
    ("", "0.0.0.0", "0.255.255.255", "1.0.0.0"),
    ("9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"),
    ("100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"),
    ("126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"),
    ("169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"),
    ("172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"),
    ("191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"),
    ("192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"),
    ("192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"),
    ("198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"),
    ("203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"),
    ("223.255.255.255", "224.0.0.0", "255.255.255.255", ""),
];

#[test]
fn special_ipv4_networks_end_where_the_registry_says() {
    for (before, first, last, after) in EDGES {
        for outside in [before, after].into_iter().filter(|text| !text.is_empty()) {
            assert!(global(outside), "{outside}");
        }
        assert!(!global(first) && !global(last), "{first} to {last}");
    }
    for (text, is) in [
        ("169.254.169.254", false),
        ("100.100.100.200", false),
        ("168.63.129.15", true),
        ("168.63.129.16", false),
        ("168.63.129.17", true),
        ("192.0.0.9", false),
        ("192.88.99.1", false),
        ("192.88.100.1", true),
        ("198.51.100.77", false),
        ("233.252.0.1", false),
        ("239.255.255.250", false),
        ("8.8.8.8", true),
        ("93.184.215.14", true),
    ] {
        assert_eq!(global(text), is, "{text}");
    }
}

#[test]
fn ipv6_is_global_where_it_is_allocated_and_not_set_apart() {
    for (text, is) in [
        ("::", false),
        ("::1", false),
        ("::ffff:8.8.8.8", true),
        ("::8.8.8.8", false),
        ("::ffff:0:8.8.8.8", false),
        ("64:ff9b::8.8.8.8", true),
        ("64:ff9b::127.0.0.1", false),
        ("64:ff9b::1:8.8.8.8", false),
        ("64:ff9b:1::8.8.8.8", false),
        ("100::1", false),
        ("100:0:0:1::1", false),
        ("1fff:ffff::1", false),
        ("2000::1", true),
        ("2001::1", false),
        ("2001:1::1", false),
        ("2001:2::1", false),
        ("2001:3::1", false),
        ("2001:4:112::1", false),
        ("2001:10::1", false),
        ("2001:20::1", false),
        ("2001:30::1", false),
        ("2001:1ff:ffff::1", false),
        ("2001:200::1", true),
        ("2001:4860:4860::8888", true),
        ("2001:db7:ffff::1", true),
        ("2001:db8::1", false),
        ("2001:db8:ffff:ffff::1", false),
        ("2001:db9::1", true),
        ("2002:808:808::1", false),
        ("2003::1", true),
        ("2606:4700::1111", true),
        ("2a00:1450:4001::1", true),
        ("3ffe:831f::1", false),
        ("3fff::1", false),
        ("3fff:fff:ffff::1", false),
        ("3fff:1000::1", true),
        ("4000::1", false),
        ("5f00::1", false),
        ("8000::1", false),
        ("e000::1", false),
        ("fc00::1", false),
        ("fd00:ec2::254", false),
        ("fe00::1", false),
        ("fe80::1", false),
        ("fec0::1", false),
        ("ff02::1", false),
        ("ff0e::1", false),
    ] {
        assert_eq!(global(text), is, "{text}");
    }
}

/// Every form in which an IPv6 address holds an IPv4 one; `filler` is whatever else the form leaves free.
fn embeddings(v4: Ipv4Addr, filler: u64) -> Vec<(&'static str, Ipv6Addr)> {
    let (bits, free) = (u128::from(v4.to_bits()), u128::from(filler));
    let nat64_local = 0x0064_ff9b_0001_u128 << 80;
    let under_any_prefix = (0x2a00_u128 << 112) | (free << 64);
    let forms = [
        ("compatible", bits),
        ("mapped", (0xffff << 32) | bits),
        ("translated", (0xffff_u128 << 48) | bits),
        ("NAT64", (0x0064_ff9b_u128 << 96) | bits),
        ("NAT64 of local use, /96", nat64_local | ((free & 0xffff_ffff) << 32) | bits),
        ("NAT64 of local use, /48", nat64_local | (bits >> 16 << 64) | ((bits & 0xffff) << 40)),
        ("NAT64 of local use, /56", nat64_local | (bits >> 24 << 64) | ((bits & 0xff_ffff) << 32)),
        ("NAT64 of local use, /64", nat64_local | (bits << 24)),
        ("6to4", (0x2002 << 112) | (bits << 80) | free),
        ("Teredo, server", (0x2001 << 112) | (bits << 64) | free),
        ("Teredo, client", (0x2001 << 112) | (free << 32) | (bits ^ 0xffff_ffff)),
        ("ISATAP, local", under_any_prefix | (0x5efe << 32) | bits),
        ("ISATAP, global", under_any_prefix | (0x0200_5efe << 32) | bits),
    ];
    forms.into_iter().map(|(name, bits)| (name, Ipv6Addr::from_bits(bits))).collect()
}

fn not_global() -> impl Strategy<Value = Ipv4Addr> {
    (proptest::sample::select(NOT_GLOBAL_V4.as_slice()), any::<u32>()).prop_map(|((first, prefix), below)| {
        let free = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
        Ipv4Addr::from_bits(first.to_bits() | (below & free))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_ipv4_address_that_is_not_global_is_in_any_embedding(v4 in not_global(), filler: u64) {
        prop_assert!(!is_global(v4.into()));
        for (form, v6) in embeddings(v4, filler) {
            prop_assert!(!is_global(v6.into()), "{form}: {v6}");
        }
    }

    #[test]
    fn every_embedding_is_seen_through(bits: u32, filler: u64) {
        let v4 = Ipv4Addr::from_bits(bits);
        for (form, v6) in embeddings(v4, filler) {
            prop_assert!(embedded(v6).any(|found| found == v4), "{form}: {v6} holds {v4}");
        }
    }

    #[test]
    fn a_global_ipv4_address_is_so_mapped_and_translated_and_in_no_tunnel(bits: u32, filler: u64) {
        let v4 = Ipv4Addr::from_bits(bits);
        for (form, v6) in embeddings(v4, filler) {
            match form {
                "mapped" | "NAT64" => prop_assert_eq!(is_global(v6.into()), is_global(v4.into()), "{}", v6),
                "ISATAP, local" | "ISATAP, global" => prop_assert!(!is_global(v6.into()) || is_global(v4.into()), "{v6}"),
                _ => prop_assert!(!is_global(v6.into()), "{form}: {v6}"),
            }
        }
    }

    #[test]
    fn what_the_standard_library_knows_to_be_special_is_not_global(bits: u128, v4: u32) {
        let v6 = Ipv6Addr::from_bits(bits);
        let special = v6.is_unspecified() || v6.is_loopback() || v6.is_multicast() || v6.is_unique_local()
            || v6.is_unicast_link_local();
        prop_assert!(!(special && is_global(v6.into())), "{v6}");
        let v4 = Ipv4Addr::from_bits(v4);
        let special = v4.is_unspecified() || v4.is_loopback() || v4.is_multicast() || v4.is_private()
            || v4.is_link_local() || v4.is_broadcast() || v4.is_documentation();
        prop_assert!(!(special && is_global(v4.into())), "{v4}");
    }
}
