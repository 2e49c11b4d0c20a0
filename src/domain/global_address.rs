//! Which addresses are on the public internet, for connections that somebody else chooses the target of.
//!
//! Stricter than the IANA's "globally reachable": what is reachable but serves no pictures (relays, anycast of one
//! protocol) is out too, and so is all of IPv6 that is not allocated for unicast yet.

#[cfg(test)]
mod tests;

use super::network::truncated;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 networks that are not the public internet's.
const NOT_GLOBAL_V4: [(Ipv4Addr, u8); 16] = [
    (Ipv4Addr::UNSPECIFIED, 8),            // this network
    (Ipv4Addr::new(10, 0, 0, 0), 8),       // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),    // shared with a carrier's translator
    (Ipv4Addr::new(127, 0, 0, 0), 8),      // loopback
    (Ipv4Addr::new(168, 63, 129, 16), 32), // what Azure offers its own machines, at an address that looks public
    (Ipv4Addr::new(169, 254, 0, 0), 16),   // link-local; clouds' metadata
    (Ipv4Addr::new(172, 16, 0, 0), 12),    // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),     // protocol assignments
    (Ipv4Addr::new(192, 0, 2, 0), 24),     // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),   // relays of 6to4
    (Ipv4Addr::new(192, 168, 0, 0), 16),   // private
    (Ipv4Addr::new(198, 18, 0, 0), 15),    // benchmarks
    (Ipv4Addr::new(198, 51, 100, 0), 24),  // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),   // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),      // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),      // reserved; broadcast
];

/// The only part of IPv6 that unicast addresses of the public internet are allocated from.
const UNICAST_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Networks in it that are not the public internet's.
const NOT_GLOBAL_V6: [(Ipv6Addr, u8); 5] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments: Teredo, benchmarks, ORCHID
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4
    (Ipv6Addr::new(0x3ffe, 0, 0, 0, 0, 0, 0, 0), 16), // the 6bone, given back
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

/// The translators' prefix, behind which is all of IPv4 (NAT64).
const TRANSLATED: (Ipv6Addr, u8) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// Whether this is a unicast address of the public internet. One that embeds an IPv4 address is only if that is.
#[must_use]
pub fn is_global(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_global_v4(v4),
        IpAddr::V6(v6) => {
            let inside = |(first, prefix)| truncated(v6.into(), prefix) == IpAddr::V6(first);
            let is_unicast = inside(UNICAST_V6) && !NOT_GLOBAL_V6.into_iter().any(inside);
            (is_unicast || inside(TRANSLATED)) && embedded(v6).all(is_global_v4)
        }
    }
}

fn is_global_v4(v4: Ipv4Addr) -> bool {
    !NOT_GLOBAL_V4.into_iter().any(|(first, prefix)| truncated(v4.into(), prefix) == IpAddr::V4(first))
}

/// Every IPv4 address that a packet to this IPv6 address may end up at, by whatever translator or tunnel.
pub fn embedded(address: Ipv6Addr) -> impl Iterator<Item = Ipv4Addr> {
    let parts = address.segments();
    let v4 = |high: u16, low: u16| Some(Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low)));
    let last = v4(parts[6], parts[7]);
    let found = match parts {
        // Compatible or mapped; translated (SIIT); by the translators' prefix.
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
            [last, None, None, None]
        }
        // NAT64 of local use. Where the address is depends on a length that only the translator knows (RFC 6052).
        [0x64, 0xff9b, 1, ..] => [
            last,
            v4(parts[3], (parts[4] << 8) | (parts[5] >> 8)),
            v4((parts[3] << 8) | (parts[4] & 0xff), parts[5]),
            v4((parts[4] << 8) | (parts[5] >> 8), (parts[5] << 8) | (parts[6] >> 8)),
        ],
        // Teredo: its server, and the client with every bit turned.
        [0x2001, 0, ..] => [v4(parts[2], parts[3]), v4(!parts[6], !parts[7]), None, None],
        // 6to4.
        [0x2002, ..] => [v4(parts[1], parts[2]), None, None, None],
        // ISATAP, under any prefix.
        [.., 0 | 0x0200, 0x5efe, _, _] => [last, None, None, None],
        _ => [None; 4],
    };
    found.into_iter().flatten()
}
