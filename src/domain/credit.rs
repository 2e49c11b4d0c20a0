//! Credits: what a hold is, and which pool the next one comes from (contract, section 3).

use super::{
    caller::{Channel, ClientAddress, KeyId, Payer, Uid},
    time::{Day, Month, UnixMicros, UnixSeconds},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Names one operation for ever: repeating it under the same id changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperationId(pub String);

/// Where an account's credit comes from.
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

/// What one credit will be counted under. Fixed when the hold is taken, so that a request which spans midnight
/// or a renewal lands in one window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Charge {
    /// A credit of an account.
    Account {
        /// The account.
        uid: Uid,
        /// Which counter.
        channel: Channel,
        /// Which balance.
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
    /// Whose allowance this is drawn on.
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
    /// What it will be counted under.
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

/// The short-term limit: a bucket of `size` requests that refills at `per_minute`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(expecting = "a section")]
pub struct Burst {
    /// Requests a minute in the long run; 1 to [`Burst::MOST`].
    pub per_minute: u32,
    /// Requests at once after a rest; 1 to [`Burst::MOST`].
    pub size: u32,
}

impl Burst {
    /// The most that either number may be. Requests are told apart by microseconds, and a whole bucket must fit where the
    /// stores keep it.
    pub const MOST: u32 = 1_000_000;

    /// A limit of such numbers, each in its bounds.
    #[must_use]
    pub fn of(per_minute: u64, size: u64) -> Self {
        let number = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Self { per_minute: number(per_minute), size: number(size) }.bounded()
    }

    /// The same with both numbers in their bounds: what is stored may have been written by anybody.
    #[must_use]
    pub fn bounded(self) -> Self {
        Self { per_minute: self.per_minute.clamp(1, Self::MOST), size: self.size.clamp(1, Self::MOST) }
    }
}

/// What admission asks of the store: decide the limits and take one credit, in one atomic step.
#[derive(Clone, Debug)]
pub struct HoldRequest {
    /// A fresh operation id.
    pub id: OperationId,
    /// Who pays, and by which rule.
    pub draw: Draw,
    /// The short-term limit to apply; `None` for none.
    pub burst: Option<Burst>,
    /// How long the credit stays set aside.
    pub lease: Duration,
}

/// Whose allowance to draw on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Draw {
    /// An account, included credits first.
    Account {
        /// The account.
        uid: Uid,
        /// Which counter it will be.
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
    /// Whose allowance this is.
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
    Held(Hold, Left),
    /// No: nothing is held and no quota has moved.
    Denied(Denial),
    /// The operation has already ended; a late hold does nothing.
    Settled(Settlement),
}

/// What admission leaves behind, for telling the caller. A repeated hold does not know it any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// The short-term bucket's theoretical arrival time; `None` where no limit was asked for.
    pub arrival: Option<UnixMicros>,
    /// Credits of the account (or of the key, if its cap leaves fewer), or pictures of the client's day; this one and
    /// every open hold counted as spent.
    pub quota: Option<u64>,
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

/// What `keep` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// [`Settlement::Kept`], unless a release of the same operation came first.
    pub settlement: Settlement,
    /// Credits that the payer can still spend; `None` where the store no longer knows.
    pub remaining: Option<u64>,
}

#[cfg(test)]
mod tests;
