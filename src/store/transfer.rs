//! An account that goes from one store to another: what it is on the way, and the verbs for it.
//!
//! Operators' verbs: they expect that nobody else writes to the account at either end. An account is seen at its new
//! place only once everything of it is there; until then, what is written in parts can be written again.

use super::{Fault, LedgerEntry, Result, Store};
use crate::domain::{
    account::{Account, Overrides, Uid},
    api_key::{ApiKey, KeyHash},
    credit::{OperationId, Settlement},
    time::{UnixMicros, UnixSeconds},
};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};

/// Records that go in one part.
pub(super) const PART: usize = 500;

/// For so long settled operations are worth moving: nothing repeats an older one (µs).
pub(super) const SETTLED_FOR: i64 = 7 * 86_400 * 1_000_000;

/// A store whose accounts can go to another one. Both engines can; what stands in front of one cannot.
#[async_trait]
pub trait Transfer: Store {
    /// Names the place where everything is kept, for comparing: stores that give the same name are the same.
    async fn place(&self) -> Result<String>;

    /// Everything of an account, as it is stored, but for its long lists; `None` without the account.
    async fn export(&self, uid: &Uid) -> Result<Option<AccountExport>>;

    /// The next part of one of its long lists.
    async fn export_part(&self, uid: &Uid, list: List, after: &Cursor) -> Result<Page>;

    /// Writes one part of a long list of an account that is not to be seen yet; what is there already is compared. Of an
    /// account that can be seen, everything is compared and nothing written. [`Fault::Taken`] where something differs.
    async fn import_part(&self, uid: &Uid, records: &Records, after: &Cursor) -> Result<Cursor>;

    /// Writes everything else, in one step that ends with the account to be seen; once it is, only compares.
    /// [`Fault::Taken`] where something else is there.
    async fn import(&self, export: &AccountExport) -> Result<()>;
}

/// Everything of an account but its long lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountExport {
    /// As it is stored, which need not be how it counts now.
    pub account: Account,
    /// By their public identifiers.
    pub keys: Vec<KeyExport>,
    /// Every counter by its documented name, without the account's own: `app_usage:2026:3`.
    pub counters: BTreeMap<String, i64>,
    /// How many entries the ledger has, openings included.
    pub ledger: u64,
    /// How many grants are remembered.
    pub grants: u64,
    /// How many steps of Stripe's there were, and what is remembered of them.
    pub stripe: Option<(u64, String)>,
    /// What is known of Stripe's objects that are about the account, by their ids; they may be about others too.
    pub stripe_objects: BTreeMap<String, String>,
    /// Predicted billing cycles whose usage went to another.
    pub moved_cycles: BTreeMap<UnixSeconds, UnixSeconds>,
}

/// An API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyExport {
    /// What it is found by.
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
    /// Each with its credits and the balance after it.
    Grants(Vec<(OperationId, i64, i64)>),
    /// How each ended, and when.
    Settled(Vec<(OperationId, Settlement, UnixMicros)>),
    /// When each was claimed.
    Events(Vec<(String, UnixMicros)>),
}

impl Records {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Ledger(entries) => entries.len(),
            Self::Grants(grants) => grants.len(),
            Self::Settled(operations) => operations.len(),
            Self::Events(events) => events.len(),
        }
    }

    /// Whether there are none.
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
    /// What it holds; a record may come in two parts.
    pub records: Records,
    /// Where the next one begins; `None` after the last.
    pub next: Option<Cursor>,
}

impl AccountExport {
    /// What differs from `other`: a name, what it is here, and what it is there.
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
            ("grants".into(), self.grants.to_string()),
            ("what Stripe's events have left".into(), format!("{:?}", self.stripe)),
        ]);
        all.extend(self.keys.iter().map(|key| (format!("key {}", key.key.id.0), format!("{key:?}"))));
        all.extend(self.counters.iter().map(|(name, value)| (format!("counter {name}"), value.to_string())));
        all.extend(self.stripe_objects.iter().map(|(id, known)| (format!("Stripe's {id}"), known.clone())));
        all.extend(self.moved_cycles.iter().map(|(from, to)| (format!("moved cycle {}", from.0), to.0.to_string())));
        all
    }

    /// The operator's error if this is not what is there.
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
