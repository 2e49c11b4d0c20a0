//! From a name to addresses.

use async_trait::async_trait;
use std::{fmt, io, net::IpAddr};
use tokio::{net::lookup_host, sync::Semaphore};

/// Look-ups at once. Each holds one of the threads that temporary files need too, and a name server that does not answer
/// holds it for long.
const MOST_LOOK_UPS: usize = 64;

/// What knows the addresses of names.
#[async_trait]
pub trait Resolver: fmt::Debug + Send + Sync + 'static {
    /// The name's addresses, in the order in which they should be tried.
    async fn look_up(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The machine's resolver.
#[derive(Debug)]
pub struct SystemResolver(Semaphore);

impl Default for SystemResolver {
    fn default() -> Self {
        Self(Semaphore::new(MOST_LOOK_UPS))
    }
}

#[async_trait]
impl Resolver for SystemResolver {
    async fn look_up(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let _permit = self.0.acquire().await.map_err(io::Error::other)?;
        Ok(lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}
