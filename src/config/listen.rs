//! `[listen]`

use crate::domain::network::Network;
use serde::{Deserialize, Serialize};
use std::{
    net::SocketAddr,
    num::NonZero,
    path::{Path, PathBuf},
    thread,
};

/// `[listen]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, expecting = "a section")]
pub struct ListenConfig {
    /// Pictures and membership-usage; over TLS with `tls_cert` and `tls_key`.
    pub public: SocketAddr,
    /// Health, readiness and metrics; keep it off the internet.
    pub admin: SocketAddr,
    /// Certificate chain, PEM, the server's own first.
    pub tls_cert: Option<PathBuf>,
    /// Its private key, PEM.
    pub tls_key: Option<PathBuf>,
    /// A listener for the same routes without TLS.
    pub plain: Option<SocketAddr>,
    /// Whether another gateway may listen on the same addresses at the same time.
    pub reuse_port: bool,
    /// Threads that serve connections; 0 for one for each core.
    pub workers: usize,
    /// Peers that speak the PROXY protocol on `public` and `plain`.
    pub proxy_protocol_from: Vec<Network>,
    /// Seconds for the handshakes, and for the head of a request.
    pub head_timeout_s: u64,
    /// Seconds that a connection may be idle after its first request.
    pub idle_timeout_s: u64,
    /// Seconds that a gateway that is told to stop goes on accepting connections, while `/readyz` sends callers elsewhere.
    pub drain_delay_s: u64,
}

impl ListenConfig {
    /// How many threads serve connections.
    #[must_use]
    pub fn workers(&self) -> usize {
        match self.workers {
            0 => thread::available_parallelism().map_or(1, NonZero::get),
            count => count,
        }
    }

    /// The files of the certificate and its key, if TLS is configured.
    #[must_use]
    pub fn tls_files(&self) -> Option<(&Path, &Path)> {
        Some((self.tls_cert.as_deref()?, self.tls_key.as_deref()?))
    }
}

impl Default for ListenConfig {
    fn default() -> Self {
        Self {
            public: ([127, 0, 0, 1], 8080).into(),
            admin: ([127, 0, 0, 1], 8081).into(),
            tls_cert: None,
            tls_key: None,
            plain: None,
            reuse_port: false,
            workers: 0,
            proxy_protocol_from: Vec::new(),
            head_timeout_s: 15,
            idle_timeout_s: 90,
            drain_delay_s: 5,
        }
    }
}
