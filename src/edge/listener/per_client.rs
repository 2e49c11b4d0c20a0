//! Counts the connections of each client.

use crate::domain::client_address::first_of_client;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

type Counts = HashMap<IpAddr, usize>;

/// Counts exactly: there are never more entries than connections.
#[derive(Clone, Debug)]
pub(super) struct PerClient {
    most: usize,
    counts: Arc<Mutex<Counts>>,
}

/// Keeps a connection counted until it is dropped.
#[derive(Debug)]
pub(super) struct Counted {
    client: IpAddr,
    counts: Arc<Mutex<Counts>>,
}

impl PerClient {
    pub(super) fn new(most: usize) -> Self {
        Self { most, counts: Arc::default() }
    }

    /// Counts a connection; `None` if its client already has as many as it may.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Counted> {
        let client = first_of_client(address);
        let mut counts = locked(&self.counts);
        let count = counts.entry(client).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Counted { client, counts: Arc::clone(&self.counts) })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = locked(&self.counts);
        if let Some(count) = counts.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.client);
            }
        }
    }
}

fn locked(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_so_many_connections_and_gets_them_back_and_nothing_stays_behind() {
        let clients = PerClient::new(2);
        let enter = |address: &str| clients.enter(address.parse().unwrap());
        let first = enter("192.0.2.1").expect("the first");
        let _second = enter("::ffff:192.0.2.1").expect("the second, of the same client, as an IPv6 address");
        assert!(enter("192.0.2.1").is_none());
        assert!(enter("192.0.2.2").is_some(), "somebody else");
        drop(first);
        assert!(enter("192.0.2.1").is_some());
        let one = enter("2001:db8::1");
        let two = enter("2001:db8::ffff:1");
        assert!(one.is_some() && two.is_some() && enter("2001:db8::2").is_none(), "a /64 is one client");
        drop((one, two));
        assert_eq!(locked(&clients.counts).len(), 1, "no count is kept of clients without connections");
    }
}
