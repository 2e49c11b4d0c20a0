//! The lengths of recent answers.

/// How many lengths are remembered.
const REMEMBERED: usize = 64;

/// The least room that an answer is given.
const AT_LEAST: u64 = 1024 * 1024;

/// The lengths of the latest answers.
#[derive(Debug)]
pub(super) struct Recent {
    lengths: [u64; REMEMBERED],
    next: usize,
    longest: u64,
}

impl Default for Recent {
    fn default() -> Self {
        Self { lengths: [0; REMEMBERED], next: 0, longest: 0 }
    }
}

impl Recent {
    pub(super) fn add(&mut self, length: u64) {
        let Some(oldest) = self.lengths.get_mut(self.next) else { return };
        let forgotten = std::mem::replace(oldest, length);
        self.next = (self.next + 1) % REMEMBERED;
        if length >= self.longest {
            self.longest = length;
        } else if forgotten == self.longest {
            self.longest = self.lengths.iter().max().copied().unwrap_or_default();
        }
    }

    /// Twice the longest of them, but at most `bound`.
    pub(super) fn likely(&self, bound: u64) -> u64 {
        self.longest.saturating_mul(2).min(bound).max(AT_LEAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_the_longest_of_the_latest_is_likely() {
        let mut recent = Recent::default();
        assert_eq!(recent.likely(u64::MAX), AT_LEAST, "nothing is known yet");
        recent.add(5 << 20);
        recent.add(1);
        assert_eq!((recent.likely(u64::MAX), recent.likely(7 << 20), recent.likely(9)), (10 << 20, 7 << 20, AT_LEAST));
        for _ in 0..REMEMBERED {
            recent.add(2 << 20);
        }
        assert_eq!(recent.likely(u64::MAX), 4 << 20, "what was long ago is forgotten");
    }
}
