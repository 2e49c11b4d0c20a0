//! An operation of an account as the script `meter` is told it.

use super::scripts::Call;
use crate::{
    domain::{
        account::Uid,
        api_key::KeyId,
        credit::{Charge, Draw, Hold, HoldRequest, OperationId, Settlement},
    },
    store::key_names,
};
use std::{borrow::Cow, fmt, time::Duration};

/// The day of ids that tell no moment.
pub(super) const UNDATED: &str = "undated";

/// Microseconds of a day.
pub(super) const DAY: i64 = 86_400_000_000;

/// How an operation ended, as scripts and names say it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ended {
    Kept,
    Released,
}

impl Ended {
    pub(super) fn of(settlement: Settlement) -> Self {
        match settlement {
            Settlement::Kept => Self::Kept,
            Settlement::Released => Self::Released,
        }
    }

    pub(super) fn settlement(self) -> Settlement {
        match self {
            Self::Kept => Settlement::Kept,
            Self::Released => Settlement::Released,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Released => "released",
        }
    }
}

/// A hold, a keep or a release of an account.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Hold { request: HoldRequest, uid: Uid },
    Keep { hold: Hold, uid: Uid },
    Release { id: OperationId, uid: Uid },
}

impl Operation {
    pub(super) fn uid(&self) -> &Uid {
        let (Self::Hold { uid, .. } | Self::Keep { uid, .. } | Self::Release { uid, .. }) = self;
        uid
    }

    pub(super) fn id(&self) -> &OperationId {
        match self {
            Self::Hold { request, .. } => &request.id,
            Self::Keep { hold, .. } => &hold.id,
            Self::Release { id, .. } => id,
        }
    }

    /// The hold that it keeps.
    pub(super) fn kept(&self) -> Option<&Hold> {
        match self {
            Self::Keep { hold, .. } => Some(hold),
            Self::Hold { .. } | Self::Release { .. } => None,
        }
    }

    /// Its bytes in a call, about.
    pub(super) fn size(&self) -> usize {
        2 * self.id().0.len() + self.uid().as_str().len() + 200
    }

    pub(super) fn is_hold(&self) -> bool {
        matches!(self, Self::Hold { .. })
    }

    /// Adds its kind, the place of its terms, and its words.
    pub(super) fn append_to<'a>(&self, call: Call<'a>, terms: usize) -> Call<'a> {
        match self {
            Self::Hold { request, .. } => {
                let key = match &request.draw {
                    Draw::Account { key, .. } => key.as_ref().map(|key| &key.id),
                    Draw::Client { .. } => None,
                };
                call.arg("hold").arg(terms).arg(&request.id.0).arg(key_part(key))
            }
            Self::Keep { hold, .. } => {
                let key = match &hold.charge {
                    Charge::Account { key, .. } => key.as_ref(),
                    Charge::Client { .. } => None,
                };
                call.arg("keep").arg(terms).arg(&hold.id.0).arg(key_part(key)).arg(hold.expires.0)
            }
            Self::Release { id, .. } => call.arg("release").shown(day_of(id)).arg(&id.0),
        }
    }
}

/// A key as names of counters have it, or nothing.
pub(super) fn key_part(key: Option<&KeyId>) -> Cow<'_, str> {
    key.map_or(Cow::Borrowed(""), key_names::key_part)
}

/// The day of an id, by which the store forgets it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Day(Option<i64>);

/// The day of an id.
pub(super) fn day_of(id: &OperationId) -> Day {
    Day(id.stamp().map(|at| at.0.div_euclid(DAY)))
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(day) => day.fmt(f),
            None => f.write_str(UNDATED),
        }
    }
}

/// A lease's length in microseconds.
pub(super) fn micros(lease: Duration) -> i64 {
    i64::try_from(lease.as_micros()).unwrap_or(i64::MAX / 4)
}
