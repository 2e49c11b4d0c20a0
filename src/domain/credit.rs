//! Credits: holds, and the pool that the next credit comes from (contract, section 3).

use super::{
    account::Uid,
    api_key::KeyId,
    client_address::ClientAddress,
    rate_limit::Burst,
    shared_text::SharedText,
    time::{Day, Month, UnixMicros, UnixSeconds},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Names one operation for ever: repeating it under the same id changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperationId(pub SharedText);

/// Hexadecimal digits of the moment that an operation id begins with.
const STAMP_DIGITS: usize = 13;

impl OperationId {
    /// An id that begins with the moment at which the operation began, so that newer ids are greater and a store can forget
    /// them by their day.
    #[must_use]
    pub fn stamped(at: UnixMicros, random: &str) -> Self {
        Self(format!("{:0STAMP_DIGITS$x}-{random}", at.0.max(0)).into())
    }

    /// The moment that it begins with; `None` for an id of another kind.
    #[must_use]
    pub fn stamp(&self) -> Option<UnixMicros> {
        let (stamp, _) = self.0.split_once('-')?;
        let is_one = stamp.len() == STAMP_DIGITS && stamp.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_one.then(|| i64::from_str_radix(stamp, 16).ok()).flatten().map(UnixMicros)
    }
}

/// Which of the two usage counters a picture belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// A signed-in user: `app_usage`.
    App,
    /// An API key: `api_usage`.
    Api,
}

impl Channel {
    /// `app` or `api`, as in the counters' names and the metrics' labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Api => "api",
        }
    }
}

/// The owner of the allowance that a hold is drawn on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Payer {
    /// An account's pool of credits.
    Account(Uid),
    /// An anonymous client's daily allowance.
    Client(ClientAddress),
}

/// The pool that an account's credit comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pool {
    /// The plan's allowance of the current window. Spent first.
    Included,
    /// Bought credits. They do not reset.
    Prepaid,
}

impl Pool {
    /// `included` or `prepaid`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Included => "included",
            Self::Prepaid => "prepaid",
        }
    }
}

/// The counters that one credit will be counted under. They are fixed when the hold is taken, so that a request which spans midnight
/// or a renewal lands in one window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Charge {
    /// A credit of an account.
    Account {
        /// The account.
        uid: Uid,
        /// The counter.
        channel: Channel,
        /// The pool.
        pool: Pool,
        /// The UTC month.
        month: Month,
        /// Start of the billing cycle, once the account is synced with Stripe.
        cycle: Option<UnixSeconds>,
        /// The API key that was used, for per-key counters.
        key: Option<KeyId>,
    },
    /// One picture of an anonymous client's day.
    Client {
        /// The client.
        client: ClientAddress,
        /// The UTC day.
        day: Day,
    },
}

impl Charge {
    /// The payer that this is drawn on.
    #[must_use]
    pub fn payer(&self) -> Payer {
        match self {
            Self::Account { uid, .. } => Payer::Account(uid.clone()),
            Self::Client { client, .. } => Payer::Client(client.clone()),
        }
    }
}

/// One credit set aside for one request. A lease: after `expires` the credit is free again, but a keep that still
/// arrives counts once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The operation that took it, and that will keep or release it.
    pub id: OperationId,
    /// The counters that it will be counted under.
    pub charge: Charge,
    /// When it was taken.
    pub taken: UnixMicros,
    /// When the lease ends.
    pub expires: UnixMicros,
}

/// How an operation ended. The first of the two to arrive wins; the other is answered with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Settlement {
    /// Counted.
    Kept,
    /// Not counted, and never will be.
    Released,
}

/// The most credits that a setting or a command may name: every JSON reader, and Redis's Lua, keeps such a number exactly.
pub const MOST_CREDITS: u64 = (1 << 53) - 1;

/// Admission's request to the store: decide the limits and take one credit, in one atomic step.
#[derive(Clone, Debug)]
pub struct HoldRequest {
    /// A fresh operation id.
    pub id: OperationId,
    /// The payer, and the rule that applies.
    pub draw: Draw,
    /// The short-term limit to apply; `None` for none.
    pub burst: Option<Burst>,
    /// How long the credit stays set aside.
    pub lease: Duration,
}

/// The allowance to draw on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Draw {
    /// An account, included credits first.
    Account {
        /// The account.
        uid: Uid,
        /// The counter that it will be counted under.
        channel: Channel,
        /// The API key in use.
        key: Option<KeyDraw>,
    },
    /// An anonymous client.
    Client {
        /// The client.
        client: ClientAddress,
        /// Pictures a UTC day.
        per_day: u64,
    },
}

/// An API key that is used to draw on an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDraw {
    /// The key.
    pub id: KeyId,
    /// Credits of either pool that it may spend in a UTC month; `None` for as many as the account has.
    pub monthly_cap: Option<u64>,
}

impl Draw {
    /// The payer whose allowance this is.
    #[must_use]
    pub fn payer(&self) -> Payer {
        match self {
            Self::Account { uid, .. } => Payer::Account(uid.clone()),
            Self::Client { client, .. } => Payer::Client(client.clone()),
        }
    }
}

/// The store's answer to a [`HoldRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// One credit is set aside, and this is left.
    Held(Hold, Remaining),
    /// No: nothing is held and no quota has moved.
    Denied(Denial),
    /// The operation has already ended; a late hold does nothing.
    Settled(Settlement),
}

/// The rest of the limits after an admission, for the caller; this hold and every open one counted as spent. A repeated hold
/// does not know it any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remaining {
    /// The short-term bucket's theoretical arrival time; `None` where no limit was asked for.
    pub arrival: Option<UnixMicros>,
    /// Credits of the account (or of the key, if its cap leaves fewer), or pictures of the client's day.
    pub quota: Option<u64>,
    /// Credits of the account, whatever a key's cap leaves; `None` for an anonymous client.
    pub credits: Option<u64>,
}

/// Why admission said no, and after how long asking again makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The short-term limit.
    TooFast {
        /// Until the bucket has room again.
        retry_after: Duration,
    },
    /// No credit is left in the window, none in the key's month, or no picture in an anonymous client's day.
    Exhausted {
        /// Until the window (for a key's cap, the UTC month) ends or, where only open holds stand in the way, the earliest of their leases.
        retry_after: Duration,
        /// Until the short-term bucket is full again, which this request has taken from; `None` where no limit was asked
        /// for. A span and not a moment, for the store's clock need not be the caller's.
        full_in: Option<Duration>,
    },
    /// There is no such account (any more).
    NoAccount,
}

/// An account's numbers at the moment of admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Included allowance of the window.
    pub credits: u64,
    /// Included credits that the window has used.
    pub used: u64,
    /// Open holds on the window's included credits.
    pub held_included: u64,
    /// Prepaid balance.
    pub prepaid: i64,
    /// Open holds on the prepaid balance, whatever their window.
    pub held_prepaid: u64,
}

impl Standing {
    /// The pool that the next credit comes from; `None` when there is none left.
    #[must_use]
    pub fn next_pool(&self) -> Option<Pool> {
        if self.used.saturating_add(self.held_included) < self.credits {
            return Some(Pool::Included);
        }
        let held = i64::try_from(self.held_prepaid).unwrap_or(i64::MAX);
        (self.prepaid > held).then_some(Pool::Prepaid)
    }

    /// Credits that the next hold can be taken from.
    #[must_use]
    pub fn free(&self) -> u64 {
        let prepaid = u64::try_from(self.prepaid).unwrap_or(0).saturating_sub(self.held_prepaid);
        self.credits.saturating_sub(self.used.saturating_add(self.held_included)).saturating_add(prepaid)
    }

    /// Whether this pool has credits that only open holds keep from being spent: then it is worth waiting for a lease
    /// to end.
    #[must_use]
    pub fn frees_with_a_lease(&self, pool: Pool) -> bool {
        match pool {
            Pool::Included => self.held_included > 0 && self.used < self.credits,
            Pool::Prepaid => self.held_prepaid > 0 && self.prepaid > 0,
        }
    }

    /// Credits that can still be spent, open holds not counted as spent.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.credits.saturating_sub(self.used).saturating_add(u64::try_from(self.prepaid).unwrap_or(0))
    }
}

/// The result of a keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// [`Settlement::Kept`], unless a release of the same operation came first.
    pub settlement: Settlement,
}

#[cfg(test)]
mod tests;
