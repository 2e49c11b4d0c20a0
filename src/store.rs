//! Stores accounts, keys, holds, counters and the ledger. Four traits define the verbs, in the gateway's own words. Each
//! writing verb is one atomic step, and repeating it under the same operation id changes nothing.

mod billing;
mod callers;
mod closing;
mod journal;
mod key_names;
mod measured;
mod migrate;
mod transfer;
mod number;
mod open;
pub mod redis;
pub mod sqlite;
mod sums;
mod terms;
mod whole;

pub use billing::{Changes, ParkedEvent, Reprocess, StepOutcome, StripeObject, StripeState, StripeStep};
pub use closing::{ClosedPage, Closing, Round, close_all, due};
pub use journal::{keeps_left, keeps_set_aside, keeps_waiting};
pub use migrate::{Migration, Problem, migrate};
pub use open::{Opened, OutOfService, backup, open, open_to_move, open_to_serve, out_of_service};
pub use sums::{Closed, Sums};
pub use terms::LiveTerms;
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

/// Why the store did not do what it was asked. Callers are told nothing of this: a fault is a 503.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// Unreachable, full or out of time. The outcome of a write is unknown: repeat it under the same operation id.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// It answered something that this version does not understand.
    #[error("store holds something unexpected: {0}")]
    Unexpected(String),
    /// There is no such account, no such number of an account, no such store, or no ledger of that month any more.
    #[error("{0}")]
    NotFound(String),
    /// Fewer credits are free than should be taken back.
    #[error("{0}")]
    Insufficient(String),
    /// A number is outside the range that can be stored.
    #[error("{0}")]
    TooLarge(String),
    /// Something else is there already, such as another account's key.
    #[error("{0}")]
    Taken(String),
    /// The store cannot be used like this: its address makes no sense, its server is unsuitable, or requests or keeps are still
    /// under way.
    #[error("{0}")]
    Unusable(String),
    /// Another operation has used this operation id.
    #[error("{0}")]
    Conflict(String),
}

impl Fault {
    fn in_service(store: impl std::fmt::Display) -> Self {
        Self::Unusable(format!("a gateway serves from {store}; stop every gateway on it, then try again"))
    }

    /// What the log says beside the refusal's code, which says already that the store is unavailable.
    #[must_use]
    pub fn cause(&self) -> String {
        if let Self::Unavailable(why) = self { why.clone() } else { self.to_string() }
    }
}

/// The verbs that serving a picture needs, and those by which callers and operators look at the store meanwhile.
///
/// The store has four traits: this one, [`Accounts`], [`Billing`] and [`Closing`]. Code that uses the store takes the narrowest trait that
/// is enough. Two engines implement all of them, and one suite of promises runs against both.
#[async_trait]
pub trait Metering: Send + Sync + 'static {
    /// The key with this hash and the account that it opens, as they were less than a second ago, but for the account's
    /// balance; revoked and expired keys included.
    async fn caller_of_key(&self, hash: &KeyHash) -> Result<Option<(ApiKey, Account)>>;

    /// The account of a signed-in user, as it was less than a second ago, but for its balance. `None` without it.
    async fn account_of_user(&self, uid: &Uid) -> Result<Option<Account>>;

    /// One account, as it counts now: on the default plan once its subscription has lapsed.
    async fn account(&self, uid: &Uid) -> Result<Option<Account>>;

    /// Creates an account, or changes the values that the change names. Balances and periods are never touched. If a fall to the
    /// default plan is due, it is written before the change.
    async fn put_account(&self, change: &AccountChange) -> Result<Account>;

    /// Decides the limits and sets one credit aside. Repeated under the same id, answers with the hold that stands.
    async fn hold(&self, request: &HoldRequest) -> Result<Admission>;

    /// Counts a hold: counters, balance and ledger entry at once. Counts also after the lease has ended, but once.
    /// [`Fault::NotFound`] without the account, or if the ledger of the hold's month is closed.
    async fn keep(&self, hold: &Hold) -> Result<Kept>;

    /// Releases a hold. An unknown id is remembered, so that a late `hold` under it does nothing.
    async fn release(&self, id: &OperationId, payer: &Payer) -> Result<Settlement>;

    /// Included credits that an account used in a month or a billing cycle, by channel.
    async fn usage(&self, uid: &Uid, counters: Counters) -> Result<Usage>;

    /// Every billing cycle of an account that has usage counters, in the order of their starts.
    async fn cycles(&self, uid: &Uid) -> Result<Vec<(UnixSeconds, Usage)>>;

    /// Notes when keys were last used, many at once. A moment before the known one changes nothing.
    async fn touch_keys(&self, used: &[(KeyId, UnixSeconds)]) -> Result<()>;

    /// Whether the next verb would fail without asking the server, so that it would leave nothing to settle.
    fn is_unavailable(&self) -> bool {
        false
    }

    /// The state of the store for the metrics.
    fn gauges(&self) -> StoreGauges {
        StoreGauges::default()
    }

    /// How many holds are open now, without those whose leases have ended.
    async fn holds_open(&self) -> Result<u64>;

    /// Holds open now that are worth a look at every scrape of the metrics: where [`holds_open`](Self::holds_open) would walk
    /// over everything, only this gateway's own.
    async fn holds_in_flight(&self) -> Result<u64> {
        self.holds_open().await
    }

    /// Whether the store can read and write right now.
    async fn ping(&self) -> Result<()>;
}

/// The operator's verbs.
#[async_trait]
pub trait Accounts: Metering {
    /// The ids of all accounts, in order, including accounts that cannot be read.
    async fn uids(&self) -> Result<Vec<Uid>>;

    /// Every account, in the order of their ids.
    async fn accounts(&self) -> Result<Vec<Account>> {
        let mut accounts = Vec::new();
        for uid in self.uids().await? {
            accounts.extend(self.account(&uid).await?);
        }
        Ok(accounts)
    }

    /// Adds prepaid credits (or, if negative, takes them back), once per operation id, however late it is repeated. A grant of
    /// zero does not use the id. [`Fault::NotFound`] without the account, [`Fault::Insufficient`] if the credits to take back
    /// are spent or set aside, [`Fault::TooLarge`] for an impossible balance, [`Fault::Conflict`] if another number was granted
    /// under the id.
    async fn grant(&self, uid: &Uid, credits: i64, id: &OperationId) -> Result<Granted>;

    /// Stores a key under its hash. [`Fault::NotFound`] without its account, [`Fault::Taken`] if the key
    /// belongs to another account.
    async fn put_key(&self, hash: &KeyHash, key: &ApiKey) -> Result<()>;

    /// An account's keys, oldest first, revoked ones included, with what each has used this UTC month.
    async fn keys(&self, uid: &Uid) -> Result<Vec<KeyUse>>;

    /// Revokes a key from now on; `false` if there is no such key. Revoking twice keeps the first date.
    async fn revoke_key(&self, id: &KeyId) -> Result<bool>;

    /// Compares an account's counters and balance with the sums of its ledger, closed months included. [`Fault::NotFound`]
    /// without the account.
    async fn audit(&self, uid: &Uid) -> Result<Audit>;

    /// Sets a number of an account, named as [`audit`](Self::audit) reports it, and writes a ledger entry after which the
    /// ledger agrees with it. [`Fault::NotFound`] without the account or the number, [`Fault::TooLarge`] for an impossible
    /// value.
    async fn mend(&self, uid: &Uid, key: &str, value: i64, id: &OperationId) -> Result<()>;
}

/// The verbs by which Stripe's events change accounts.
#[async_trait]
pub trait Billing: Metering {
    /// The state of an account that the next [`StripeStep`] starts from.
    async fn stripe_state(&self, uid: &Uid) -> Result<StripeState>;

    /// Writes all changes by one event in one atomic step, once, and only if no other step has come in between.
    async fn apply_stripe(&self, step: &StripeStep) -> Result<StepOutcome>;

    /// The results of an event are written. When this returns `Ok`, the event is processed again if a store on another machine
    /// loses them. The text is what [`Reprocess`] gets then.
    async fn note_event(&self, event: &str) -> Result<()>;

    /// The stored text about one of Stripe's objects.
    async fn stripe_object(&self, id: &str) -> Result<StripeObject>;

    /// Writes the text about one of Stripe's objects. `false`, and nothing is written, if somebody has written it since that
    /// version was read.
    async fn put_stripe_object(&self, id: &str, object: &StripeObject) -> Result<bool>;

    /// Keeps an event until it can be applied. Parking it again only replaces the reason.
    async fn park(&self, event: &ParkedEvent) -> Result<()>;

    /// Every parked event, oldest first.
    async fn parked(&self) -> Result<Vec<ParkedEvent>>;

    /// The parked events that any of these ids may lead to an account, oldest first.
    async fn parked_under(&self, aliases: &[String]) -> Result<Vec<ParkedEvent>>;

    /// Forgets an event, if it is parked.
    async fn unpark(&self, id: &str) -> Result<()>;
}

/// An engine, which implements every verb.
pub trait Store: Accounts + Billing + Closing {}

impl<Engine: Accounts + Billing + Closing> Store for Engine {}

/// The result of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Granted {
    /// The prepaid balance afterwards.
    pub prepaid: i64,
    /// Whether the operation id had been used before, so that nothing changed.
    pub repeated: bool,
}

/// The changes to an account. `None` leaves a value as it is, or at its default on a new account: no plan, no credits, no
/// numbers of its own, not verified.
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
    /// Whether this only makes a new account: an existing one stays as it is.
    pub only_new: bool,
}

impl AccountChange {
    /// A change that names nothing: it makes the account if there is none.
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
    /// The number of ledger entries that were added up, those of closed months included.
    pub entries: u64,
    /// Every number that differs; empty if all is well.
    pub differences: Vec<Difference>,
    /// Every value that should be a whole number and is not, so that the account is refused; empty if all is well.
    pub not_integers: Vec<NotInteger>,
}

impl Audit {
    /// Whether every value is a whole number and agrees with the ledger.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.differences.is_empty() && self.not_integers.is_empty()
    }
}

/// A value that should be a whole number and is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotInteger {
    /// Its documented name. For a field of the account: the account's own name, a space and the field's name.
    pub key: String,
    /// The beginning of the value, or its kind.
    pub stands: String,
}

impl NotInteger {
    fn new(key: String, stands: &str) -> Self {
        Self { key, stands: stands.chars().take(40).collect() }
    }
}

/// One counter that differs from the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The counter's documented name, or `prepaid`.
    pub counter: String,
    /// The stored value.
    pub stored: i64,
    /// The sum of the ledger.
    pub ledger: i64,
}

/// One entry of the ledger, from which every counter and balance can be computed again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LedgerEntry {
    /// The operation that wrote it.
    pub operation: OperationId,
    /// When it was written.
    pub at: UnixMicros,
    /// Its content.
    pub kind: EntryKind,
}

/// The content of a ledger entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EntryKind {
    /// One picture was served and counted.
    Served {
        /// The channel of its counter.
        channel: Channel,
        /// The pool that the credit came from.
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
    /// The value of a counter or the balance when it was taken over; the ledger does not know where it came from.
    Opening {
        /// The counter's documented name without the account's own, or `prepaid`.
        counter: String,
        /// Its value.
        credits: i64,
    },
    /// An operator has set a field of the account that is not a counter.
    Mended {
        /// Its name.
        field: String,
        /// The new value.
        value: i64,
    },
    /// The prepaid balance was changed by this many credits.
    Granted {
        /// May be negative.
        credits: i64,
    },
    /// A subscription assigned a plan, or its end assigned the default plan.
    PlanChanged {
        /// Its name.
        plan: String,
        /// Its included credits.
        credits: u64,
    },
    /// Stripe stated a billing period.
    PeriodSynced {
        /// The period as it was stored.
        period: BillingPeriod,
    },
    /// All usage of one billing cycle turned out to belong to another.
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
