//! The operator's commands, on any store: accounts, keys, credits, usage, audit.

mod error;
#[cfg(test)]
mod tests;

pub use error::AdminError;

use crate::{
    config::Config,
    domain::{
        account::{Account, Overrides, Uid},
        api_key::{ApiKey, KeyId},
        credit::{OperationId, Standing},
        network::Network,
        period::Counters,
        plan::{Plan, Terms},
        time::{Month, UnixSeconds},
    },
    identity::{Keyring, api_key, find_key},
    random::fresh_operation_id,
    store::{AccountChange, Accounts, Audit, Fault, Granted, KeyUse, NotInteger},
};
use secrecy::SecretString;
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};

type Result<T> = std::result::Result<T, AdminError>;

/// The operator's commands on one store.
pub struct Admin {
    store: Arc<dyn Accounts>,
    plans: BTreeMap<String, Plan>,
    terms: Terms,
}

/// The wanted state of an account; `None` leaves a value as it is.
#[derive(Clone, Debug)]
pub struct AccountOrder {
    /// The account.
    pub uid: Uid,
    /// A plan of the configuration. A new account without one gets the default plan.
    pub plan: Option<String>,
    /// An included allowance other than the plan's.
    pub credits: Option<u64>,
    /// Other numbers than the plan's.
    pub overrides: Overrides,
    /// Prepaid credits to begin with: granted once, however often the order is repeated.
    pub prepaid: Option<u32>,
    /// Whether the e-mail address counts as verified. It does on a new account, because the operator made it.
    pub email_verified: Option<bool>,
}

/// The account after an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountMade {
    /// The account.
    #[serde(flatten)]
    pub account: Account,
    /// Whether it is new.
    pub created: bool,
    /// Whether prepaid credits were added. They are not if an earlier order has added them.
    pub prepaid_granted: bool,
}

/// The wanted properties of a key.
#[derive(Clone, Debug)]
pub struct KeyOrder {
    /// The account that it opens.
    pub uid: Uid,
    /// The owner's name for it; may be empty.
    pub name: String,
    /// The moment from which it is refused.
    pub expires: Option<UnixSeconds>,
    /// The networks that it may be used from; empty for all.
    pub networks: Vec<Network>,
    /// Credits that it may spend in a UTC month.
    pub monthly_cap: Option<u64>,
}

/// The credits that an account has used and has left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountUsage {
    /// The account.
    #[serde(flatten)]
    pub account: Account,
    /// The UTC month that is counted.
    pub month: Month,
    /// Included credits used by signed-in users.
    pub app: u64,
    /// Included credits used by API keys.
    pub api: u64,
    /// Credits of either pool that can still be spent.
    pub remaining: u64,
}

/// The usage of accounts, and the accounts whose usage cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usages {
    /// In the order of their ids.
    pub accounts: Vec<AccountUsage>,
    /// The accounts that cannot be read, in the same order; empty if all is well.
    pub unread: Vec<Unread>,
}

/// An account that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The account.
    pub uid: Uid,
    /// The reason.
    pub says: String,
}

impl Admin {
    /// The commands for this store, with the plans of this configuration.
    #[must_use]
    pub fn new(store: Arc<dyn Accounts>, config: &Config) -> Self {
        Self { store, plans: config.plans.clone(), terms: config.terms() }
    }

    /// Makes an account, or changes those values of an existing one that the order names.
    pub async fn put_account(&self, order: &AccountOrder) -> Result<AccountMade> {
        let created = self.store.account(&order.uid).await?.is_none();
        let plan = order.plan.as_deref().or(created.then_some(self.terms.default_plan.0.as_str()));
        let change = AccountChange {
            plan: plan.map(|name| self.plan(name)).transpose()?,
            credits: order.credits,
            overrides: order.overrides,
            email_verified: order.email_verified.or(created.then_some(true)),
            ..AccountChange::of(order.uid.clone())
        };
        let account = self.store.put_account(&change).await?;
        let Some(prepaid) = order.prepaid.filter(|prepaid| *prepaid > 0) else {
            return Ok(AccountMade { account, created, prepaid_granted: false });
        };
        let id = OperationId(format!("user-add:{}", order.uid).into());
        let prepaid_granted = match self.store.grant(&order.uid, prepaid.into(), &id).await {
            Ok(granted) => !granted.repeated,
            // An earlier order granted another number.
            Err(Fault::Conflict(_)) => false,
            Err(fault) => return Err(fault.into()),
        };
        let account = self.account(&order.uid).await?;
        Ok(AccountMade { account, created, prepaid_granted })
    }

    /// Makes a new key. The key itself is in the answer and nowhere else.
    pub async fn create_key(
        &self,
        keyring: &Keyring,
        order: KeyOrder,
        now: UnixSeconds,
    ) -> Result<(ApiKey, SecretString)> {
        let key = api_key::generate()?;
        Ok((self.put_key(keyring, order, &key, now).await?, key))
    }

    /// Imports a key that exists already, made by us or by others.
    pub async fn import_key(
        &self,
        keyring: &Keyring,
        order: KeyOrder,
        key: &SecretString,
        now: UnixSeconds,
    ) -> Result<ApiKey> {
        if !api_key::has_valid_shape(key) {
            return Err(AdminError::NotAKey);
        }
        // The store looks only under the newest pepper's hash.
        if let Some((known, _)) = find_key(&*self.store, keyring, key).await? {
            return Err(AdminError::KnownKey(known.id));
        }
        self.put_key(keyring, order, key, now).await
    }

    /// An account's keys, oldest first.
    pub async fn keys(&self, uid: &Uid) -> Result<Vec<KeyUse>> {
        self.account(uid).await?;
        Ok(self.store.keys(uid).await?)
    }

    /// Revokes a key from now on; revoking it again changes nothing.
    pub async fn revoke_key(&self, id: &KeyId) -> Result<()> {
        if self.store.revoke_key(id).await? { Ok(()) } else { Err(AdminError::NoKey(id.clone())) }
    }

    /// Adds prepaid credits (or, if negative, takes them back), once per operation id.
    pub async fn grant(&self, uid: &Uid, credits: i64, id: &OperationId) -> Result<Granted> {
        self.account(uid).await?;
        Ok(self.store.grant(uid, credits, id).await?)
    }

    /// The credits that one account, or every account, has used this month and has left in the window in force.
    pub async fn usage(&self, uid: Option<&Uid>, now: UnixSeconds) -> Result<Usages> {
        if let Some(uid) = uid {
            return Ok(Usages { accounts: vec![self.usage_of(uid, now).await?], unread: Vec::new() });
        }
        let mut usages = Usages::default();
        for uid in self.store.uids().await? {
            match self.usage_of(&uid, now).await {
                Ok(usage) => usages.accounts.push(usage),
                // The account has disappeared meanwhile.
                Err(AdminError::NoAccount(_)) => {}
                Err(AdminError::Store(Fault::Unexpected(says))) => usages.unread.push(Unread { uid, says }),
                Err(error) => return Err(error),
            }
        }
        Ok(usages)
    }

    async fn usage_of(&self, uid: &Uid, now: UnixSeconds) -> Result<AccountUsage> {
        let (account, month) = (self.account(uid).await?, now.month());
        let used = self.store.usage(uid, Counters::Month(month)).await?;
        let window = self.terms.window(&account, now);
        let in_window = match window.counters() {
            Counters::Month(_) => used,
            cycle @ Counters::Cycle(_) => self.store.usage(uid, cycle).await?,
        };
        let standing = Standing {
            credits: account.credits,
            used: in_window.app.saturating_add(in_window.api),
            held_included: 0,
            prepaid: account.prepaid,
            held_prepaid: 0,
        };
        let remaining = standing.remaining();
        Ok(AccountUsage { account, month, app: used.app, api: used.api, remaining })
    }

    /// Compares the counters of one account, or of every account, with its ledger. An account that cannot be read is
    /// reported, and the others are still compared.
    pub async fn audit(&self, uid: Option<&Uid>) -> Result<Vec<Audit>> {
        let uids = match uid {
            Some(uid) => vec![uid.clone()],
            None => self.store.uids().await?,
        };
        let mut audits = Vec::new();
        for uid in uids {
            match self.store.audit(&uid).await {
                Ok(audit) => audits.push(audit),
                Err(Fault::Unexpected(stands)) => {
                    let not_integers = vec![NotInteger { key: format!("account {uid}"), stands }];
                    audits.push(Audit { uid, entries: 0, differences: Vec::new(), not_integers });
                }
                Err(fault) => return Err(fault.into()),
            }
        }
        Ok(audits)
    }

    /// Sets a number that an audit reports. Afterwards the ledger agrees with it.
    pub async fn mend(&self, uid: &Uid, key: &str, value: i64) -> Result<Audit> {
        let id = OperationId(format!("mend:{}", fresh_operation_id()?.0).into());
        self.store.mend(uid, key, value, &id).await?;
        Ok(self.store.audit(uid).await?)
    }

    async fn put_key(
        &self,
        keyring: &Keyring,
        order: KeyOrder,
        key: &SecretString,
        now: UnixSeconds,
    ) -> Result<ApiKey> {
        self.account(&order.uid).await?;
        if order.expires.is_some_and(|end| end <= now) {
            return Err(AdminError::Expired);
        }
        let made = ApiKey {
            id: keyring.fresh_id()?,
            uid: order.uid,
            name: order.name,
            hint: api_key::hint(key),
            created: now,
            expires: order.expires,
            revoked: None,
            networks: order.networks,
            monthly_cap: order.monthly_cap,
        };
        self.store.put_key(&keyring.hash(key), &made).await?;
        Ok(made)
    }

    async fn account(&self, uid: &Uid) -> Result<Account> {
        self.store.account(uid).await?.ok_or_else(|| AdminError::NoAccount(uid.clone()))
    }

    /// A plan's name and its included credits.
    fn plan(&self, name: &str) -> Result<(String, u64)> {
        let plan = self.plans.get(name).ok_or_else(|| AdminError::NoPlan {
            name: name.to_owned(),
            known: self.plans.keys().cloned().collect::<Vec<_>>().join(", "),
        })?;
        Ok((name.to_owned(), plan.credits))
    }
}
