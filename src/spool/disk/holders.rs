//! How much each client and each account holds.

use super::DiskRules;
use crate::domain::{account::Uid, client_address::ClientAddress};
use std::{collections::HashMap, hash::Hash};

/// The client and the account that a body is held for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The client that sent the request.
    pub client: ClientAddress,
    /// The account that is served, whichever credential opened it; `None` for an anonymous caller.
    pub account: Option<Uid>,
}

/// The clients and accounts that hold something.
#[derive(Debug, Default)]
pub(super) struct Holders {
    clients: HashMap<ClientAddress, Held>,
    accounts: HashMap<Uid, Held>,
}

/// Bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    all: u64,
    of_answers: u64,
}

/// The kind of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Upload,
    Answer,
}

impl Holders {
    pub(super) fn add(&mut self, holder: &Holder, kind: Kind, more: u64) {
        if more == 0 {
            return;
        }
        add(&mut self.clients, &holder.client, kind, more);
        if let Some(account) = &holder.account {
            add(&mut self.accounts, account, kind, more);
        }
    }

    pub(super) fn take(&mut self, holder: &Holder, kind: Kind, less: u64) {
        if less == 0 {
            return;
        }
        take(&mut self.clients, &holder.client, kind, less);
        if let Some(account) = &holder.account {
            take(&mut self.accounts, account, kind, less);
        }
    }

    /// Whether an answer of this size is more than its client's or its account's part leaves.
    pub(super) fn beyond_part(&self, rules: &DiskRules, holder: &Holder, size: u64) -> bool {
        let beyond = |held: Held, part| held.of_answers > 0 && held.all.saturating_add(size) > part;
        self.any(rules, holder, beyond)
    }

    /// The same for an upload of `own` bytes that gets `more`.
    pub(super) fn upload_beyond_part(&self, rules: &DiskRules, holder: &Holder, own: u64, more: u64) -> bool {
        let beyond = |held: Held, part| held.all > own && held.all.saturating_add(more) > part;
        self.any(rules, holder, beyond)
    }

    pub(super) fn who_holds_most(&self) -> Option<ClientAddress> {
        self.clients.iter().max_by_key(|(_, held)| held.all).map(|(client, _)| client.clone())
    }

    fn any(&self, rules: &DiskRules, holder: &Holder, beyond: impl Fn(Held, u64) -> bool) -> bool {
        let client = self.clients.get(&holder.client);
        let account = holder.account.as_ref().and_then(|account| self.accounts.get(account));
        client.is_some_and(|held| beyond(*held, rules.per_client))
            || account.is_some_and(|held| beyond(*held, rules.per_account))
    }
}

fn add<K: Clone + Eq + Hash>(held: &mut HashMap<K, Held>, key: &K, kind: Kind, more: u64) {
    let held = held.entry(key.clone()).or_default();
    held.all += more;
    if kind == Kind::Answer {
        held.of_answers += more;
    }
}

fn take<K: Eq + Hash>(all: &mut HashMap<K, Held>, key: &K, kind: Kind, less: u64) {
    let Some(held) = all.get_mut(key) else { return };
    held.all -= less;
    if kind == Kind::Answer {
        held.of_answers -= less;
    }
    if held.all == 0 {
        all.remove(key);
    }
}
