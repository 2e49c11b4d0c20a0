//! Where listening sockets come from: systemd, or ourselves.

use listenfd::ListenFd;
use std::{io, net::SocketAddr};
use tokio::net::{TcpListener, TcpSocket};
use tracing::warn;

/// Connections that the kernel holds until they are accepted.
const BACKLOG: u32 = 1024;

/// A listening socket.
pub struct Socket {
    pub(super) accepting: TcpListener,
    /// Whether somebody else holds it too and will see to whoever is in its queue when we stop.
    pub(super) inherited: bool,
}

/// The sockets that were handed over, by address, and how others are made.
pub struct Sockets {
    inherited: Vec<(SocketAddr, TcpListener)>,
    reuse_port: bool,
}

impl Sockets {
    /// Takes what systemd has handed over (`LISTEN_FDS`), if anything. Sockets of our own share their addresses with
    /// another process's if `reuse_port`.
    pub fn from_environment(reuse_port: bool) -> io::Result<Self> {
        let mut handed_over = ListenFd::from_env();
        let mut inherited = Vec::new();
        for index in 0..handed_over.len() {
            if let Some(socket) = handed_over.take_tcp_listener(index)? {
                socket.set_nonblocking(true)?;
                inherited.push((socket.local_addr()?, TcpListener::from_std(socket)?));
            }
        }
        Ok(Self { inherited, reuse_port })
    }

    /// The socket that was handed over for this address, or a fresh one; port 0 takes a free one.
    pub fn take(&mut self, address: SocketAddr) -> io::Result<Socket> {
        if let Some(at) = self.inherited.iter().position(|(theirs, _)| *theirs == address) {
            return Ok(Socket { accepting: self.inherited.swap_remove(at).1, inherited: true });
        }
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // Connections of a predecessor that still linger must not keep the address taken.
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(self.reuse_port)?;
        socket.bind(address)?;
        Ok(Socket { accepting: socket.listen(BACKLOG)?, inherited: false })
    }

    /// Warns of sockets that nobody took.
    pub fn warn_of_the_rest(&self) {
        for (address, _) in &self.inherited {
            warn!(%address, "a socket was handed over for an address that no setting of [listen] names");
        }
    }
}
