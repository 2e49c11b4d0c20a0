//! A value with its rank. The highest-ranking value is kept, whatever the order in which values arrive.

use serde::{Deserialize, Serialize};

/// A value with its rank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ranked<R, V> {
    pub(super) rank: R,
    pub(super) value: V,
}

impl<R: Ord, V> Ranked<R, V> {
    /// Puts the value into the slot, unless the value there ranks at least as high.
    pub(super) fn offer(slot: &mut Option<Self>, rank: R, value: V) {
        if slot.as_ref().is_none_or(|held| held.rank < rank) {
            *slot = Some(Self { rank, value });
        }
    }

    /// Does the same with the value of another slot.
    pub(super) fn merge(slot: &mut Option<Self>, other: Option<Self>) {
        if let Some(Self { rank, value }) = other {
            Self::offer(slot, rank, value);
        }
    }
}
