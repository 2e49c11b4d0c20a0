//! An operation of an account as the script `meter` is told it.

use super::scripts::Call;
use crate::{
    domain::{
        account::Uid,
        api_key::KeyId,
        credit::{Channel, Charge, Draw, Hold, HoldRequest, OperationId, Settlement},
        rate_limit::Burst,
    },
    store::key_names,
};
use std::time::Duration;

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

    /// Adds its kind and its words.
    pub(super) fn append_to<'a>(&self, call: Call<'a>) -> Call<'a> {
        match self {
            Self::Hold { request, .. } => append_hold(call, request),
            Self::Keep { hold, .. } => append_keep(call, hold),
            Self::Release { id, .. } => append_id(call.arg("release"), id),
        }
    }
}

/// The id, the moment in it, and its day.
pub(super) fn append_id<'a>(call: Call<'a>, id: &OperationId) -> Call<'a> {
    let stamp = id.stamp();
    let call = call.arg(&id.0).number(stamp.map(|at| at.0));
    match stamp {
        Some(at) => call.arg(at.0.div_euclid(DAY)),
        None => call.arg(UNDATED),
    }
}

/// The day of an id, by which the store forgets it.
pub(super) fn day_of(id: &OperationId) -> String {
    id.stamp().map_or_else(|| UNDATED.into(), |at| at.0.div_euclid(DAY).to_string())
}

/// A lease's length in microseconds.
pub(super) fn micros(lease: Duration) -> i64 {
    i64::try_from(lease.as_micros()).unwrap_or(i64::MAX / 4)
}

fn append_hold<'a>(call: Call<'a>, request: &HoldRequest) -> Call<'a> {
    let (channel, key) = match &request.draw {
        Draw::Account { channel, key, .. } => (*channel, key.as_ref()),
        Draw::Client { .. } => (Channel::App, None),
    };
    let call = append_id(call.arg("hold"), &request.id)
        .arg(micros(request.lease))
        .number(request.burst.map(Burst::interval_micros))
        .number(request.burst.map(Burst::whole_micros));
    tell_key(call.arg(channel.as_str()), key.map(|key| &key.id)).number(key.and_then(|key| key.monthly_cap))
}

fn append_keep<'a>(call: Call<'a>, hold: &Hold) -> Call<'a> {
    let call = append_id(call.arg("keep"), &hold.id);
    let Charge::Account { channel, pool, month, cycle, key, .. } = &hold.charge else { return call };
    let call = call
        .arg(channel.as_str())
        .arg(pool.as_str())
        .shown(month)
        .number(cycle.map(|start| start.0))
        .arg(micros(hold.taken.until(hold.expires)));
    tell_key(call, key.as_ref()).arg(hold.expires.0)
}

/// The key, and what it is called in names of counters.
fn tell_key<'a>(call: Call<'a>, key: Option<&KeyId>) -> Call<'a> {
    match key {
        Some(key) => call.arg(&key.0).arg(key_names::key_part(key)),
        None => call.arg("").arg(""),
    }
}
