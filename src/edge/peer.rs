//! Who a request comes from.

use std::net::SocketAddr;

/// The other end of the connection: the client or its last proxy. Every routed request has it as an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);
