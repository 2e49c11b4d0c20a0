//! Which addresses may be connected to.

use crate::domain::{
    global_address::{embedded, is_global},
    network::Network,
};
use std::{
    io::ErrorKind,
    iter,
    net::{IpAddr, SocketAddr, UdpSocket},
};

/// Ports on the public internet that may be connected to.
const PORTS: [u16; 2] = [80, 443];

/// What may be connected to.
#[derive(Clone, Debug)]
pub(super) struct Reach {
    /// Networks beyond the public internet that may be connected to, on any port.
    pub(super) networks: Vec<Network>,
    /// Our own listeners, where they are bound.
    pub(super) listeners: Vec<SocketAddr>,
}

/// By what right an address may be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It is on the public internet.
    Public,
    /// The operator allows it.
    Allowed,
}

impl Reach {
    /// By what right this address may be connected to; `None` if it may not.
    pub(super) fn judge(&self, address: SocketAddr) -> Option<Way> {
        let (ip, port) = (address.ip().to_canonical(), address.port());
        let leads_here = |ip: IpAddr| ip.is_unspecified() || self.listens_at(ip, port);
        if faces(ip).any(leads_here) {
            return None;
        }
        if self.networks.iter().any(|network| network.contains(ip)) {
            return Some(Way::Allowed);
        }
        (is_global(ip) && PORTS.contains(&port)).then_some(Way::Public)
    }

    fn listens_at(&self, ip: IpAddr, port: u16) -> bool {
        let mut there = self.listeners.iter().filter(|listener| listener.port() == port);
        there.any(|listener| {
            let bound = listener.ip().to_canonical();
            bound == ip || (bound.is_unspecified() && is_of_this_machine(ip))
        })
    }
}

/// The address, and every IPv4 address in it.
fn faces(ip: IpAddr) -> impl Iterator<Item = IpAddr> {
    let embedded = match ip {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => Some(embedded(v6).map(IpAddr::V4)),
    };
    iter::once(ip).chain(embedded.into_iter().flatten())
}

/// Only a machine's own addresses can be bound. Whatever else hinders that, the address is better taken for our own.
fn is_of_this_machine(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).map_or_else(|error| error.kind() != ErrorKind::AddrNotAvailable, |_| true)
}
