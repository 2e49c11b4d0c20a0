//! The flood shield's memory stays the same whatever addresses are invented.
//!
//! The test has a process to itself, so that nothing else allocates meanwhile.

use crate::support::alone::is_alone;
use rembg_gateway::edge::shield::{Shield, ShieldLimits};
use std::{fs, net::Ipv4Addr, num::NonZeroU32, ops::Range};

const MADE_UP: u32 = 10_000_000;

#[test]
fn ten_million_made_up_addresses_leave_memory_flat() {
    if !is_alone("shield_memory::ten_million_made_up_addresses_leave_memory_flat") {
        return;
    }
    let limit = NonZeroU32::new(60).unwrap();
    let shield = Shield::new(ShieldLimits { bad_credentials_per_minute: limit, in_flight_per_client: limit });
    flood(&shield, 0..1_000);

    let before = allocated_kib().unwrap();
    assert!(before > 0);
    flood(&shield, 1_000..MADE_UP);
    let grown = allocated_kib().unwrap().saturating_sub(before);

    assert!(grown < 1_024, "{grown} KiB more for {MADE_UP} addresses");
}

/// Half of the addresses guess a key, the other half open a request.
fn flood(shield: &Shield, addresses: Range<u32>) {
    for address in addresses {
        let client = Ipv4Addr::from_bits(address).into();
        if address % 2 == 0 {
            shield.bad_credential(client);
        } else {
            drop(shield.enter(client));
        }
    }
}

/// The memory that this process has allocated, as Linux reports it. Pages of the program itself do not count: they are
/// read one by one while it runs.
fn allocated_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("RssAnon:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
