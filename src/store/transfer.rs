//! Moves an account from one store to another: the form in which it travels, and the verbs for it.
//!
//! These verbs are an operator's: they expect that nobody else writes to the account at either end. An account becomes
//! visible at its new place only once everything of it is there; until then, its parts can be written again.

use super::{Closed, Fault, LedgerEntry, Result, Store};
use crate::domain::{
    account::{Account, Overrides, Uid},
    api_key::{ApiKey, KeyHash},
    credit::{OperationId, Settlement},
    time::{UnixMicros, UnixSeconds},
};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};

/// The most records in one part.
pub(super) const PART: usize = 500;

/// How long settled operations are worth moving: nothing repeats an older one (µs).
pub(super) const SETTLED_FOR: i64 = 7 * 86_400 * 1_000_000;

/// A store whose accounts can move to another one. Both engines can; a wrapper around one cannot.
#[async_trait]
pub trait Transfer: Store {
    /// The name of the place where everything is kept. Stores that give the same name are the same.
    async fn place(&self) -> Result<String>;

    /// Everything of an account, as it is stored, except its long lists; `None` without the account.
    async fn export(&self, uid: &Uid) -> Result<Option<AccountExport>>;

    /// The next part of one of its long lists.
    async fn export_part(&self, uid: &Uid, list: List, after: &Cursor) -> Result<Page>;

    /// Writes one part of a long list of an account that is not visible yet; records that are there already are
    /// compared. For a visible account, everything is compared and nothing written. [`Fault::Taken`] if something
    /// differs.
    async fn import_part(&self, uid: &Uid, records: &Records, after: &Cursor) -> Result<Cursor>;

    /// Writes everything else, in one step that ends by making the account visible. For a visible account, it only
    /// compares. [`Fault::Taken`] if something else is there.
    async fn import(&self, export: &AccountExport) -> Result<()>;
}

/// Everything of an account except its long lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountExport {
    /// The account as it is stored, which may differ from how it counts now.
    pub account: Account,
    /// The keys, by their public identifiers.
    pub keys: Vec<KeyExport>,
    /// Every counter by its documented name, without the account's own: `app_usage:2026:3`.
    pub counters: BTreeMap<String, i64>,
    /// How many entries the ledger has, openings included and closed months excluded.
    pub ledger: u64,
    /// What the closed months add up to.
    pub closed: Closed,
    /// How many grants are remembered.
    pub grants: u64,
    /// The number of Stripe's steps, and the text that is remembered of them.
    pub stripe: Option<(u64, String)>,
    /// The texts about Stripe's objects that concern the account, by their ids; they may concern others too.
    pub stripe_objects: BTreeMap<String, String>,
    /// Predicted billing cycles whose usage went to another.
    pub moved_cycles: BTreeMap<UnixSeconds, UnixSeconds>,
}

/// An API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyExport {
    /// The hash that it is found by.
    pub hash: KeyHash,
    /// The key.
    pub key: ApiKey,
    /// When it was last used.
    pub last_used: Option<UnixSeconds>,
}

/// The long lists of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// Everything that moved a counter or the balance, in order.
    Ledger,
    /// Grants, remembered for ever.
    Grants,
    /// Operations of the last week that have ended.
    Settled,
    /// Stripe's events that were claimed.
    Events,
}

impl List {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ledger, Self::Grants, Self::Settled, Self::Events];
}

/// Some records of one list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Records {
    /// In order.
    Ledger(Vec<LedgerEntry>),
    /// Each grant with its credits and the balance after it.
    Grants(Vec<(OperationId, i64, i64)>),
    /// Each operation with its settlement, and when it ended.
    Settled(Vec<(OperationId, Settlement, UnixMicros)>),
    /// Each event with the time when it was claimed.
    Events(Vec<(String, UnixMicros)>),
}

impl Records {
    /// The number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Ledger(entries) => entries.len(),
            Self::Grants(grants) => grants.len(),
            Self::Settled(operations) => operations.len(),
            Self::Events(events) => events.len(),
        }
    }

    /// Whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How far a list has been read or written, in the words of that store. By default: not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor(pub(super) String);

/// One part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The records; one may be in two parts.
    pub records: Records,
    /// Where the next one begins; `None` after the last.
    pub next: Option<Cursor>,
}

impl AccountExport {
    /// The differences from `other`: a name, the value here, and the value there.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<(String, String, String)> {
        let (here, there) = (self.by_name(), other.by_name());
        let names: BTreeSet<&String> = here.keys().chain(there.keys()).collect();
        let value =
            |of: &BTreeMap<String, String>, name: &str| of.get(name).cloned().unwrap_or_else(|| "missing".into());
        let differing = names.into_iter().filter(|name| here.get(*name) != there.get(*name));
        differing.map(|name| (name.clone(), value(&here, name), value(&there, name))).collect()
    }

    fn by_name(&self) -> BTreeMap<String, String> {
        let Account { uid: _, membership, credits, prepaid, email_verified, overrides, billing_period } = &self.account;
        let Overrides { burst, priority, max_pixels } = overrides;
        let mut all = BTreeMap::from([
            ("membership".into(), membership.clone()),
            ("credits".into(), credits.to_string()),
            ("prepaid".into(), prepaid.to_string()),
            ("e-mail verified".into(), email_verified.to_string()),
            ("short-term limit".into(), format!("{burst:?}")),
            ("priority".into(), format!("{priority:?}")),
            ("most pixels".into(), format!("{max_pixels:?}")),
            ("billing period".into(), format!("{billing_period:?}")),
            ("ledger entries".into(), self.ledger.to_string()),
            ("closed months".into(), format!("{:?}", self.closed)),
            ("grants".into(), self.grants.to_string()),
            ("what Stripe's events have left".into(), format!("{:?}", self.stripe)),
        ]);
        all.extend(self.keys.iter().map(|key| (format!("key {}", key.key.id.0), format!("{key:?}"))));
        all.extend(self.counters.iter().map(|(name, value)| (format!("counter {name}"), value.to_string())));
        all.extend(self.stripe_objects.iter().map(|(id, known)| (format!("Stripe's {id}"), known.clone())));
        all.extend(self.moved_cycles.iter().map(|(from, to)| (format!("moved cycle {}", from.0), to.0.to_string())));
        all
    }

    /// The operator's error if this differs from what is there.
    pub(super) fn must_equal(&self, there: &Self) -> Result<()> {
        match self.differences(there).first() {
            Some((name, ..)) => Err(other(&self.account.uid, name)),
            None => Ok(()),
        }
    }
}

/// The operator's error that something else is there already.
pub(super) fn other(uid: &Uid, what: &str) -> Fault {
    Fault::Taken(format!("account {uid} is there already, with other contents: {what}"))
}
