//! Looks through the accounts: plans that the configuration does not have, and keys that our peppers do not open.

use crate::{
    cli::finding::Finding,
    config::Config,
    domain::{account::Uid, api_key::KeyId},
    identity::Keyring,
    store::Accounts,
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// The longest that accounts are looked at.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many names are given as examples.
const EXAMPLES: usize = 5;

/// The result of looking at the accounts.
#[derive(Default)]
struct Tally {
    looked_at: usize,
    of: usize,
    /// Accounts by a plan that is not configured.
    unknown_plans: BTreeMap<String, Vec<Uid>>,
    known_keys: usize,
    other_keys: Vec<KeyId>,
}

/// Findings about them. Another check reports a store that does not answer, and a pepper that cannot be read.
pub(super) async fn look(config: &Config, store: &dyn Accounts) -> Vec<Finding> {
    let keyring = Keyring::open(config).ok();
    let begun = Instant::now();
    let uids = store.uids().await.unwrap_or_default();
    let mut tally = Tally { of: uids.len(), ..Tally::default() };
    for uid in uids {
        if begun.elapsed() > PATIENCE {
            break;
        }
        tally.looked_at += 1;
        if let Ok(Some(account)) = store.account(&uid).await
            && !config.plans.contains_key(&account.membership)
        {
            tally.unknown_plans.entry(account.membership).or_default().push(uid.clone());
        }
        let keys = match &keyring {
            Some(_) => store.keys(&uid).await.unwrap_or_default(),
            None => Vec::new(),
        };
        for key in keys.into_iter().filter(|one| one.key.revoked.is_none()) {
            match keyring.as_ref().and_then(|keyring| keyring.has_made(&key.key.id)) {
                Some(true) => tally.known_keys += 1,
                Some(false) => tally.other_keys.push(key.key.id),
                None => {}
            }
        }
    }
    tally.judge(&config.default_plan)
}

impl Tally {
    fn judge(&self, default_plan: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (plan, uids) in &self.unknown_plans {
            let says = format!(
                "{} on the plan {plan:?}, which [plans] does not have ({}); the short-term limit of {default_plan} applies.",
                counted(uids.len(), "account is", "accounts are"),
                examples(uids.iter().map(ToString::to_string), uids.len()),
            );
            let cure = "Add the plan, or put them on another one: rembg-gateway user add UID --plan NAME";
            findings.push(Finding::warn("accounts", says, cure));
        }
        if !self.other_keys.is_empty() {
            let count = self.other_keys.len();
            let says = format!(
                "{} made under another pepper, so callers with them get 401 ({}).",
                counted(count, "key was", "keys were"),
                examples(self.other_keys.iter().map(|id| id.0.to_string()), count),
            );
            let cure = "Set auth.api_key.pepper to a list: the present pepper first, then the one before.";
            findings.push(Finding::bad(self.known_keys == 0, "pepper", says, cure));
        }
        if self.looked_at < self.of {
            let says = format!("Only the first {} of {} accounts have been looked at.", self.looked_at, self.of);
            findings.push(Finding::ok("accounts", says));
        }
        findings
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn examples(names: impl Iterator<Item = String>, count: usize) -> String {
    let more = if count > EXAMPLES { ", …" } else { "" };
    format!("{}{more}", names.take(EXAMPLES).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::finding::Verdict;

    #[test]
    fn what_is_wrong_with_accounts_is_told_with_a_few_names() {
        let mut tally = Tally { looked_at: 2, of: 2, known_keys: 1, ..Tally::default() };
        assert_eq!(tally.judge("Free"), []);
        let uid = |number: usize| Uid::new(format!("u{number}")).unwrap();
        tally.unknown_plans.insert("Gold".into(), (0..7).map(uid).collect());
        let found = tally.judge("Free");
        assert_eq!((found.len(), found[0].verdict), (1, Verdict::Warn));
        assert_eq!(
            found[0].says,
            "7 accounts are on the plan \"Gold\", which [plans] does not have (u0, u1, u2, u3, u4, …); the short-term limit \
             of Free applies."
        );
        let mut tally = Tally { looked_at: 1, of: 1, other_keys: vec![KeyId("key_a".into())], ..Tally::default() };
        let found = tally.judge("Free");
        assert_eq!(found[0].verdict, Verdict::Fail, "no key at all is opened");
        assert!(found[0].says.starts_with("1 key was made under another pepper"), "{found:?}");
        tally.known_keys = 1;
        assert_eq!(tally.judge("Free")[0].verdict, Verdict::Warn);
        assert!(Tally { looked_at: 1, of: 9, ..Tally::default() }.judge("Free")[0].says.contains("first 1 of 9"));
    }
}
