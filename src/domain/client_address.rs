//! The client that a request comes from: the peer, or the address that a trusted proxy names.

use super::{
    network::{Network, truncated, unmapped},
    shared_text::SharedText,
};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// One anonymous client: an IPv4 address or an IPv6 /64, spelled canonically.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientAddress(pub SharedText);

/// An IPv6 customer holds at least a /64 and can call from any address in it.
const IPV6_CLIENT_BITS: u8 = 64;

/// The one header in which proxies name the client's address. The other one is never read: a proxy that writes only one
/// of them passes on the other as the client sent it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardingHeader {
    /// `X-Forwarded-For: CLIENT, PROXY`
    #[default]
    XForwardedFor,
    /// `Forwarded: for=CLIENT, for=PROXY` (RFC 7239)
    Forwarded,
}

impl ForwardingHeader {
    /// The header's name in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }
}

/// The proxies that are trusted to name a client's address.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    /// The networks of trusted proxies; with none, no proxy is believed.
    pub networks: Vec<Network>,
    /// The header that they write.
    pub header: ForwardingHeader,
}

impl TrustedProxies {
    /// The client's own address, given the peer's and every line of [`TrustedProxies::header`], in their order.
    ///
    /// The header is read from the right, where our own proxies wrote, past the addresses of trusted proxies, up to the
    /// first that is not one. Strangers may have written what is left of that. If a word there is not an address, the
    /// result is the peer.
    #[must_use]
    pub fn client_ip<'a, L>(&self, peer: IpAddr, lines: L) -> IpAddr
    where
        L: IntoIterator<Item = &'a [u8]>,
        L::IntoIter: DoubleEndedIterator,
    {
        let peer = unmapped(peer);
        let mut client = peer;
        for entry in lines.into_iter().rev().flat_map(|line| rsplit_unquoted(line, b',')) {
            if !self.trusts(client) {
                return client;
            }
            let Some(address) = self.address(entry) else { return peer };
            client = unmapped(address);
        }
        client
    }

    /// Whether this is the address of a trusted proxy.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }

    fn address(&self, entry: &[u8]) -> Option<IpAddr> {
        match self.header {
            ForwardingHeader::XForwardedFor => node_address(std::str::from_utf8(entry).ok()?.trim_matches([' ', '\t'])),
            ForwardingHeader::Forwarded => forwarded_for(entry),
        }
    }
}

impl ClientAddress {
    /// The client that an address counts as: an IPv4 address by itself, an IPv6 address by its /64.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match first_of_client(address) {
            IpAddr::V4(v4) => Self(v4.to_string().into()),
            IpAddr::V6(v6) => Self(format!("{v6}/{IPV6_CLIENT_BITS}").into()),
        }
    }
}

/// The first of the addresses that count as one client with this one. All of them have the same.
#[must_use]
pub fn first_of_client(address: IpAddr) -> IpAddr {
    match unmapped(address) {
        v4 @ IpAddr::V4(_) => v4,
        v6 @ IpAddr::V6(_) => truncated(v6, IPV6_CLIENT_BITS),
    }
}

/// The address in one element of `Forwarded`, such as `for="[2001:db8::1]:4711";proto=https`. `None` when there is not
/// exactly one, or when it is `unknown` or an `_obfuscated` name.
fn forwarded_for(element: &[u8]) -> Option<IpAddr> {
    let mut found = None;
    for pair in rsplit_unquoted(element, b';') {
        let (name, value) = std::str::from_utf8(pair).ok()?.split_once('=')?;
        if name.trim_matches([' ', '\t']).eq_ignore_ascii_case("for") && found.replace(value).is_some() {
            return None;
        }
    }
    let value = found?.trim_matches([' ', '\t']);
    // No address holds a character that a quoted string would have to escape, so none is unescaped.
    let node = value.strip_prefix('"').map_or(Some(value), |rest| rest.strip_suffix('"'))?;
    node_address(node)
}

/// An address as proxies write it: bare, in brackets, with or without a port.
fn node_address(node: &str) -> Option<IpAddr> {
    if let Ok(address) = node.parse::<IpAddr>() {
        return Some(address);
    }
    if let Ok(with_port) = node.parse::<SocketAddr>() {
        return Some(with_port.ip());
    }
    let inner = node.strip_prefix('[')?.strip_suffix(']')?;
    inner.parse().ok().map(IpAddr::V6)
}

/// Splits at a separator outside quotes, from the right: a quote that a stranger left open on the left must not
/// swallow what our own proxy appended.
fn rsplit_unquoted(line: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut quoted = false;
        let cut = text.iter().enumerate().rev().find_map(|(at, byte)| {
            match byte {
                b'"' if !(quoted && escaped(text, at)) => quoted = !quoted,
                byte if *byte == separator && !quoted => return Some(at),
                _ => {}
            }
            None
        });
        rest = cut.map(|at| &text[..at]);
        Some(cut.map_or(text, |at| &text[at + 1..]))
    })
}

fn escaped(text: &[u8], at: usize) -> bool {
    text[..at].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

#[cfg(test)]
mod tests;
