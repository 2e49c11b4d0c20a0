//! The slowest transfer that is accepted.

use std::time::Duration;

/// The slowest transfer that is accepted: a start, and from then on this many bytes a second on average.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferRate {
    /// Time that any transfer gets, whatever its size.
    pub grace: Duration,
    /// The rate after that; at least 1.
    pub bytes_per_second: u64,
}

impl TransferRate {
    /// The same start, and a rate that is this many times as fast.
    #[must_use]
    pub fn times(self, faster: u64) -> Self {
        Self { bytes_per_second: self.bytes_per_second.saturating_mul(faster), ..self }
    }

    /// The longest time that this many bytes may take.
    #[must_use]
    pub fn time_for(self, bytes: u64) -> Duration {
        self.grace.saturating_add(Duration::from_secs(bytes / self.bytes_per_second.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_gets_its_grace_and_then_time_by_size() {
        let transfer_rate = TransferRate { grace: Duration::from_secs(30), bytes_per_second: 16 << 10 };
        for (bytes, seconds) in [(0, 30), (16 << 10, 31), (50 << 20, 30 + 3200)] {
            assert_eq!(transfer_rate.time_for(bytes), Duration::from_secs(seconds), "{bytes} bytes");
        }
    }
}
