//! Listening sockets: inherited from systemd, or opened here.

use listenfd::ListenFd;
use std::{io, net::SocketAddr};
use tokio::net::{TcpListener, TcpSocket};
use tracing::warn;

/// The most connections that the kernel queues until they are accepted.
pub(super) const BACKLOG: u32 = 1024;

/// A listening socket.
pub struct Socket {
    pub(super) accepting: TcpListener,
    /// Whether systemd holds the socket too, so that its queue is kept when we stop.
    pub(super) inherited: bool,
}

/// The inherited sockets by address, and how others are opened.
pub struct Sockets {
    inherited: Vec<(SocketAddr, TcpListener)>,
    reuse_port: bool,
}

impl Sockets {
    /// Takes the sockets that systemd passes in `LISTEN_FDS`, if any. With `reuse_port`, the sockets that are opened here
    /// can share their addresses with those of another process.
    pub fn from_environment(reuse_port: bool) -> io::Result<Self> {
        let mut passed = ListenFd::from_env();
        let mut inherited = Vec::new();
        for index in 0..passed.len() {
            if let Some(socket) = passed.take_tcp_listener(index)? {
                socket.set_nonblocking(true)?;
                inherited.push((socket.local_addr()?, TcpListener::from_std(socket)?));
            }
        }
        Ok(Self { inherited, reuse_port })
    }

    /// The inherited socket for this address, or a new one. Port 0 stands for any free port.
    pub fn take(&mut self, address: SocketAddr) -> io::Result<Socket> {
        if let Some(at) = self.inherited.iter().position(|(theirs, _)| *theirs == address) {
            return Ok(Socket { accepting: self.inherited.swap_remove(at).1, inherited: true });
        }
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // Old connections of the previous process must not keep the address in use.
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(self.reuse_port)?;
        socket.bind(address)?;
        Ok(Socket { accepting: socket.listen(BACKLOG)?, inherited: false })
    }

    /// Logs the inherited sockets that were not taken.
    pub fn warn_of_the_rest(&self) {
        for (address, _) in &self.inherited {
            warn!(%address, "a socket was handed over for an address that no setting of [listen] names");
        }
    }
}
