//! What is remembered: accounts, keys, holds, counters, the ledger. Three traits of verbs in the gateway's own words; each
//! writing verb is one atomic step, and repeating it under the same operation id changes nothing.

mod billing;
mod journal;
mod key_names;
mod migrate;
mod transfer;
mod number;
mod open;
pub mod redis;
pub mod sqlite;
mod whole;

pub use billing::{Changes, ParkedEvent, StepOutcome, StripeObject, StripeState, StripeStep};
pub use journal::{Journaled, keeps_left};
pub use migrate::{Migration, Problem, migrate};
pub use open::{Opened, backup, open, open_to_move, open_to_serve};
pub use transfer::{AccountExport, Cursor, KeyExport, List, Page, Records, Transfer};

use crate::domain::{
    account::{Account, Overrides, Uid},
    api_key::{ApiKey, KeyHash, KeyId},
    credit::{Admission, Channel, Hold, HoldRequest, Kept, OperationId, Payer, Pool, Settlement},
    period::{BillingPeriod, Counters},
    time::{Month, UnixMicros, UnixSeconds},
};
use crate::telemetry::StoreGauges;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use crate::domain::usage_report::Usage;

/// A store's answer.
pub type Result<T> = std::result::Result<T, Fault>;

/// Why the store did not answer. None of this is for the caller's eyes: a fault is a 503.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// Away, full or out of time. A write's outcome is unknown: repeat it under the same operation id.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// It answered something that this version does not understand.
    #[error("store holds something unexpected: {0}")]
    Unexpected(String),
    /// There is no such thing: an account, a number of its, a store.
    #[error("{0}")]
    NotFound(String),
    /// Fewer credits are free than were to be taken back.
    #[error("{0}")]
    Insufficient(String),
    /// A number out of the range that is stored.
    #[error("{0}")]
    TooLarge(String),
    /// Something else is there already, such as another account's key.
    #[error("{0}")]
    Taken(String),
    /// A store that cannot be used like this: an address that makes no sense, a server that will not do, requests or keeps
    /// that are still under way.
    #[error("{0}")]
    Unusable(String),
    /// The operation's id has been used up by another operation.
    #[error("{0}")]
    Conflict(String),
}

/// What serving a picture needs of the store, and what a caller and an operator see of it while it serves.
///
/// Three traits are what the store can do: this one, [`Accounts`] and [`Billing`]. Whoever uses the store takes the narrowest
/// that does. Two engines answer all of them alike; one suite of promises runs against both.
#[async_trait]
pub trait Metering: Send + Sync + 'static {
    /// The key with this hash and the account that it opens, revoked and expired keys included.
    async fn caller_of_key(&self, hash: &KeyHash) -> Result<Option<(ApiKey, Account)>>;

    /// One account, as it counts now: on the default plan once its subscription has lapsed.
    async fn account(&self, uid: &Uid) -> Result<Option<Account>>;

    /// Creates an account, or changes what the change names. Balances and periods are never touched; a fall to the
    /// default plan that is due goes before the change.
    async fn put_account(&self, change: &AccountChange) -> Result<Account>;

    /// Decides the limits and sets one credit aside. Repeated under the same id, answers with the hold that stands.
    async fn hold(&self, request: &HoldRequest) -> Result<Admission>;

    /// Counts a hold: counters, balance and ledger entry at once. Counts also after the lease has ended, but once.
    async fn keep(&self, hold: &Hold) -> Result<Kept>;

    /// Gives a hold back. An id that is not known is remembered, so that a late `hold` under it does nothing.
    async fn release(&self, id: &OperationId, payer: &Payer) -> Result<Settlement>;

    /// Included credits that an account used in a month or a billing cycle, by channel.
    async fn usage(&self, uid: &Uid, counters: Counters) -> Result<Usage>;

    /// Every billing cycle of an account that has usage counters, in the order of their starts.
    async fn cycles(&self, uid: &Uid) -> Result<Vec<(UnixSeconds, Usage)>>;

    /// Notes when keys were last used, many at once; an earlier moment than is known changes nothing.
    async fn touch_keys(&self, used: &[(KeyId, UnixSeconds)]) -> Result<()>;

    /// Whether the next verb would fail without anybody being asked, so that nothing is owed for it.
    fn is_unavailable(&self) -> bool {
        false
    }

    /// What was last known of the caller behind a key, for while the store is away; nobody where nothing is remembered.
    fn last_known_caller(&self, _hash: &KeyHash) -> Option<(ApiKey, Account)> {
        None
    }

    /// The same of an account.
    fn last_known_account(&self, _uid: &Uid) -> Option<Account> {
        None
    }

    /// What operators see of the store in the metrics.
    fn gauges(&self) -> StoreGauges {
        StoreGauges::default()
    }

    /// Holds open now, leases ended excluded.
    async fn holds_open(&self) -> Result<u64>;

    /// Whether the store can read and write right now.
    async fn ping(&self) -> Result<()>;
}

/// The operator's verbs.
#[async_trait]
pub trait Accounts: Metering {
    /// The ids of every account, in their order: also of those that cannot be read.
    async fn uids(&self) -> Result<Vec<Uid>>;

    /// Every account, in the order of their ids.
    async fn accounts(&self) -> Result<Vec<Account>> {
        let mut accounts = Vec::new();
        for uid in self.uids().await? {
            accounts.extend(self.account(&uid).await?);
        }
        Ok(accounts)
    }

    /// Adds prepaid credits (or, if negative, takes them back), once per operation id, however late the repeat; nothing
    /// uses no id up. [`Fault::NotFound`] without the account, [`Fault::Insufficient`] for taking back what is spent or set
    /// aside, [`Fault::TooLarge`] for a balance that cannot be, [`Fault::Conflict`] for an id under which another number was
    /// granted.
    async fn grant(&self, uid: &Uid, credits: i64, id: &OperationId) -> Result<Granted>;

    /// Stores a key under its hash. [`Fault::NotFound`] without its account, [`Fault::Taken`] when the key is another's.
    async fn put_key(&self, hash: &KeyHash, key: &ApiKey) -> Result<()>;

    /// An account's keys, oldest first, revoked ones included, with what each has used this UTC month.
    async fn keys(&self, uid: &Uid) -> Result<Vec<KeyUse>>;

    /// Revokes a key from now on; `false` when there is no such key. Revoking twice keeps the first date.
    async fn revoke_key(&self, id: &KeyId) -> Result<bool>;

    /// Compares an account's counters and balance with what its ledger adds up to. [`Fault::NotFound`] without it.
    async fn audit(&self, uid: &Uid) -> Result<Audit>;

    /// Sets a number of an account's that [`audit`](Self::audit) finds odd or different, named as it names it, with a ledger
    /// entry after which the ledger says the same. [`Fault::NotFound`] without the account, and for what is no number of
    /// its; [`Fault::TooLarge`] for what it cannot be.
    async fn mend(&self, uid: &Uid, key: &str, value: i64, id: &OperationId) -> Result<()>;
}

/// What Stripe's events change.
#[async_trait]
pub trait Billing: Metering {
    /// What Stripe's events have left of an account: where the next [`StripeStep`] starts from.
    async fn stripe_state(&self, uid: &Uid) -> Result<StripeState>;

    /// Writes everything that follows from one event in one atomic step, once, and only if no other step has come in
    /// between.
    async fn apply_stripe(&self, step: &StripeStep) -> Result<StepOutcome>;

    /// What is known of one of Stripe's objects.
    async fn stripe_object(&self, id: &str) -> Result<StripeObject>;

    /// Writes what is known of one of Stripe's objects, if nobody has written it since that version was read. `false` if
    /// somebody has.
    async fn put_stripe_object(&self, id: &str, object: &StripeObject) -> Result<bool>;

    /// Keeps an event until it can be taken; parking it again only says why anew.
    async fn park(&self, event: &ParkedEvent) -> Result<()>;

    /// Every parked event, oldest first.
    async fn parked(&self) -> Result<Vec<ParkedEvent>>;

    /// The parked events that any of these ids might lead to the account of, oldest first.
    async fn parked_under(&self, aliases: &[String]) -> Result<Vec<ParkedEvent>>;

    /// Forgets a parked event, if it is one.
    async fn unpark(&self, id: &str) -> Result<()>;
}

/// An engine: it answers every verb.
pub trait Store: Accounts + Billing {}

impl<Engine: Accounts + Billing> Store for Engine {}

/// What a grant did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Granted {
    /// The prepaid balance afterwards.
    pub prepaid: i64,
    /// Whether the operation id had been used before, so that nothing changed.
    pub repeated: bool,
}

/// What to change of an account; `None` leaves a thing as it is, or at its default on a new account: no plan, no
/// credits, no numbers of its own, not verified.
#[derive(Clone, Debug)]
pub struct AccountChange {
    /// The account.
    pub uid: Uid,
    /// A plan's name and its included credits. Assigning a plan writes the plan's number.
    pub plan: Option<(String, u64)>,
    /// An explicit allowance, which stays until the next plan change.
    pub credits: Option<u64>,
    /// Numbers other than the plan's, which stay until the next plan change.
    pub overrides: Overrides,
    /// Whether the e-mail address is verified.
    pub email_verified: Option<bool>,
    /// Only to make the account: one that is there stays as it is.
    pub only_new: bool,
}

impl AccountChange {
    /// One that names nothing: it makes the account, if there is none.
    #[must_use]
    pub fn of(uid: Uid) -> Self {
        Self { uid, plan: None, credits: None, overrides: Overrides::default(), email_verified: None, only_new: false }
    }
}

/// A key and its use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyUse {
    /// The key.
    #[serde(flatten)]
    pub key: ApiKey,
    /// Credits of either pool that were spent with it this UTC month.
    pub used_this_month: u64,
    /// When it was last used, give or take a minute.
    pub last_used: Option<UnixSeconds>,
}

/// The result of an audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// The account.
    pub uid: Uid,
    /// How many ledger entries were added up.
    pub entries: u64,
    /// Every number that differs; empty is good.
    pub differences: Vec<Difference>,
    /// Everything that should be a whole number and is none, so that the account is refused; empty is good.
    pub odd: Vec<Odd>,
}

impl Audit {
    /// Whether every number is one, and what the ledger says.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.differences.is_empty() && self.odd.is_empty()
    }
}

/// Something that should be a whole number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Odd {
    /// Its documented name; for a field of the account, the account's own name, a blank and the field's.
    pub key: String,
    /// The beginning of what stands there, or what kind of thing it is.
    pub stands: String,
}

impl Odd {
    fn new(key: String, stands: &str) -> Self {
        Self { key, stands: stands.chars().take(40).collect() }
    }
}

/// One counter that is not what the ledger says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The counter's documented name, or `prepaid`.
    pub counter: String,
    /// What is stored.
    pub stored: i64,
    /// What the ledger adds up to.
    pub ledger: i64,
}

/// One line of the ledger, from which every counter and balance can be computed again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LedgerEntry {
    /// The operation that wrote it.
    pub operation: OperationId,
    /// When.
    pub at: UnixMicros,
    /// What it says.
    pub kind: EntryKind,
}

/// What a ledger entry says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EntryKind {
    /// One picture was served and counted.
    Served {
        /// Which counter.
        channel: Channel,
        /// Which balance.
        pool: Pool,
        /// The UTC month.
        month: Month,
        /// The billing cycle's start, if the account was synced.
        cycle: Option<UnixSeconds>,
        /// The key, if one was used.
        key: Option<KeyId>,
        /// Whether the keep came later than its lease.
        late: bool,
    },
    /// What a counter, or the balance, stood at when it was taken over: the ledger does not know why.
    Opening {
        /// The counter's documented name without the account's own, or `prepaid`.
        counter: String,
        /// What it stood at.
        credits: i64,
    },
    /// An operator has set a field of the account that nothing is counted in.
    Mended {
        /// Its name.
        field: String,
        /// To this.
        value: i64,
    },
    /// The prepaid balance was changed by so many credits.
    Granted {
        /// May be negative.
        credits: i64,
    },
    /// A subscription assigned a plan, or its end the default plan.
    PlanChanged {
        /// Its name.
        plan: String,
        /// Its included credits.
        credits: u64,
    },
    /// Stripe stated a billing period.
    PeriodSynced {
        /// As it was stored.
        period: BillingPeriod,
    },
    /// All usage of one billing cycle turned out to be another's.
    Moved {
        /// The start of the cycle that was predicted.
        from: UnixSeconds,
        /// The start of the cycle that it was.
        to: UnixSeconds,
        /// Included credits of signed-in users.
        app: u64,
        /// Included credits of API keys.
        api: u64,
        /// Prepaid credits.
        prepaid: u64,
    },
}
