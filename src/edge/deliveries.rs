//! Memory for deliveries to the webhook that are still arriving. The sender of a delivery is unknown until its last byte
//! has arrived, so every new delivery gets room. If there is none, the delivery that makes the least progress is cut off.

use crate::domain::client_address::ClientAddress;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The most bytes of all deliveries, and of those of one client.
const ROOM: u64 = 32 * 1024 * 1024;
const PART: u64 = 8 * 1024 * 1024;

/// The bytes in a second that count as good progress, and the most that a delivery can be ahead of that.
const BYTES_PER_SECOND: u64 = 64 * 1024;
const AHEAD: Duration = Duration::from_secs(1);

/// The deliveries that are still arriving.
#[derive(Debug, Default)]
pub struct Deliveries(Mutex<InFlight>);

#[derive(Debug, Default)]
struct InFlight {
    next: u64,
    used: u64,
    clients: HashMap<ClientAddress, u64>,
    all: BTreeMap<u64, Delivery>,
}

#[derive(Debug)]
struct Delivery {
    client: ClientAddress,
    bytes: u64,
    /// When the bytes that it has sent no longer count as good progress.
    due: Instant,
    cut_off: CancellationToken,
}

/// One delivery. Dropping it gives its memory back.
#[derive(Debug)]
pub(super) struct Coming {
    deliveries: Arc<Deliveries>,
    id: u64,
    cut_off: CancellationToken,
}

impl Deliveries {
    /// Adds a delivery.
    pub(super) fn begin(self: &Arc<Self>, client: ClientAddress, now: Instant) -> Coming {
        let mut in_flight = self.in_flight();
        let (id, cut_off) = (in_flight.next, CancellationToken::new());
        in_flight.next += 1;
        let delivery = Delivery { client, bytes: 0, due: now + AHEAD, cut_off: cut_off.clone() };
        in_flight.all.insert(id, delivery);
        Coming { deliveries: Arc::clone(self), id, cut_off }
    }

    fn in_flight(&self) -> MutexGuard<'_, InFlight> {
        // A panic cannot leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Coming {
    /// Makes room for the next bytes of the delivery. If there is none, other deliveries are cut off.
    pub(super) fn takes(&self, bytes: u64, now: Instant) {
        let mut in_flight = self.deliveries.in_flight();
        let Some(delivery) = in_flight.all.get_mut(&self.id) else { return };
        let worth = Duration::from_micros(bytes.saturating_mul(1_000_000) / BYTES_PER_SECOND);
        delivery.bytes += bytes;
        delivery.due = (delivery.due + worth).min(now + AHEAD);
        let client = delivery.client.clone();
        in_flight.used += bytes;
        *in_flight.clients.entry(client.clone()).or_default() += bytes;
        while in_flight.clients.get(&client).is_some_and(|used| *used > PART) {
            in_flight.cut_off_worst(Some(&client));
        }
        while in_flight.used > ROOM {
            in_flight.cut_off_worst(None);
        }
    }

    /// Waits until the delivery is cut off.
    pub(super) async fn cut_off(&self) {
        self.cut_off.cancelled().await;
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.deliveries.in_flight().remove(self.id);
    }
}

impl InFlight {
    /// Cuts off the delivery that makes the least progress, of all or of one client, among those that hold any bytes.
    fn cut_off_worst(&mut self, of: Option<&ClientAddress>) {
        let holding = self.all.iter().filter(|(_, one)| one.bytes > 0 && of.is_none_or(|client| *client == one.client));
        let Some((id, _)) = holding.min_by_key(|(_, one)| one.due) else { return };
        let id = *id;
        if let Some(worst) = self.remove(id) {
            worst.cut_off.cancel();
        }
    }

    fn remove(&mut self, id: u64) -> Option<Delivery> {
        let delivery = self.all.remove(&id)?;
        self.used -= delivery.bytes;
        if let Some(used) = self.clients.get_mut(&delivery.client) {
            *used -= delivery.bytes;
            if *used == 0 {
                self.clients.remove(&delivery.client);
            }
        }
        Some(delivery)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn client(number: u64) -> ClientAddress {
        ClientAddress(format!("192.0.2.{number}").into())
    }

    #[test]
    fn a_new_delivery_finds_room_and_the_slowest_one_gives_it_up() {
        for clients in [1_u64, 200] {
            let (deliveries, start) = (Arc::new(Deliveries::default()), Instant::now());
            let begun = |number| {
                let coming = deliveries.begin(client(number % clients), start);
                coming.takes(MIB - 1, start);
                coming
            };
            let stalled: Vec<_> = (0..100).map(begun).collect();
            let trickles = deliveries.begin(client(7 % clients), start);
            let later = start + Duration::from_secs(5);
            for tenth in 0..50 {
                trickles.takes(1, start + Duration::from_millis(100) * tenth);
            }
            let newcomers: Vec<_> = (0..6).map(|_| deliveries.begin(client(0), later)).collect();
            for newcomer in &newcomers {
                newcomer.takes(MIB - 1, later);
            }
            assert!(newcomers.iter().all(|newcomer| !newcomer.cut_off.is_cancelled()), "{clients} clients");
            let cut_off = stalled.iter().filter(|one| one.cut_off.is_cancelled()).count();
            assert!(cut_off >= 68, "{cut_off} of those that stalled");
            let used = deliveries.in_flight().used;
            assert!(used <= ROOM && (clients > 1 || used <= PART), "{used}");
            drop((stalled, trickles, newcomers));
            let after = deliveries.in_flight();
            assert!(after.used == 0 && after.clients.is_empty() && after.all.is_empty(), "{after:?}");
        }
    }

    #[test]
    fn one_that_keeps_on_sending_outlives_those_that_sent_much_at_once() {
        let (deliveries, start) = (Arc::new(Deliveries::default()), Instant::now());
        let (steady, mut bursts) = (deliveries.begin(client(1), start), Vec::new());
        for second in 0..10 {
            let now = start + Duration::from_secs(second);
            steady.takes(BYTES_PER_SECOND, now);
            let burst: Vec<_> = (0..40).map(|_| deliveries.begin(client(second + 9), now)).collect();
            for one in &burst {
                one.takes(MIB - 1, now);
            }
            bursts.extend(burst);
        }
        assert!(!steady.cut_off.is_cancelled());
    }
}
