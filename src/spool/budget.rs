//! A number of bytes that all requests share.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A process-wide limit on bytes.
#[derive(Debug)]
pub struct Budget {
    most: u64,
    used: AtomicU64,
}

impl Budget {
    /// A budget of `most` bytes.
    #[must_use]
    pub fn new(most: u64) -> Arc<Self> {
        Arc::new(Self { most, used: AtomicU64::new(0) })
    }

    /// Bytes in use.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// The limit in bytes.
    #[must_use]
    pub fn most(&self) -> u64 {
        self.most
    }

    /// A share that holds nothing yet.
    #[must_use]
    pub fn nothing(self: &Arc<Self>) -> Share {
        Share { budget: Arc::clone(self), size: 0 }
    }

    /// Adds `more`, unless all shares together would then be more than the limit.
    fn add(&self, more: u64) -> bool {
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(more).filter(|sum| *sum <= self.most)
            })
            .is_ok()
    }
}

/// Bytes taken from a [`Budget`]; given back when dropped.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    size: u64,
}

impl Share {
    /// Bytes held by this share.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Grows to `size`. `false` if the budget has too little left; then nothing is taken.
    #[must_use]
    pub fn grow_to(&mut self, size: u64) -> bool {
        let more = size.saturating_sub(self.size);
        let room = more == 0 || self.budget.add(more);
        if room {
            self.size += more;
        }
        room
    }

    /// Gives back the bytes beyond `size`.
    pub fn shrink_to(&mut self, size: u64) {
        let less = self.size.saturating_sub(size);
        self.budget.used.fetch_sub(less, Ordering::Relaxed);
        self.size -= less;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_never_exceeds_the_budget_and_goes_back_when_dropped() {
        let budget = Budget::new(10);
        let (mut one, mut other) = (budget.nothing(), budget.nothing());
        assert!(one.grow_to(6) && !other.grow_to(5));
        assert!(!one.grow_to(11));
        assert!(one.grow_to(10));
        one.shrink_to(3);
        assert_eq!(budget.used(), 3);
        drop(one);
        assert_eq!(budget.used(), 0);
        assert!(other.grow_to(10));
    }
}
