//! What an account has of Stripe's objects, and what follows for it: its plan, period and prepaid credits.

#[cfg(test)]
mod tests;

use super::{
    object::{Copy, Facts},
    subscription::{Bought, Standing},
};
use crate::{
    domain::{
        account::Account,
        credit::MOST_CREDITS,
        period::{BillingPeriod, moves},
        plan::{Plan, Terms},
        time::UnixSeconds,
    },
    store::Changes,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// Everything that an account has of Stripe's objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Remembered {
    objects: BTreeMap<String, Held>,
    written: Option<Written>,
    /// Plan and allowance before a subscription that only a `client_reference_id` gives to the account; they come back
    /// with its end.
    before: Option<(String, u64)>,
}

/// An object, as the account has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    revision: u64,
    firm: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<Facts>,
    /// The credits that it was worth when they were last written.
    worth: i64,
    /// Credits that were to be taken back and could not be.
    #[serde(default)]
    spared: i64,
}

/// What was last written to the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    bought: Option<Bought>,
    period: BillingPeriod,
    /// The plan that it is on for that; `None` once that has ended.
    plan: Option<String>,
}

/// From what the changes of an account are computed.
#[derive(Clone, Copy, Debug)]
pub struct Standpoint<'a> {
    /// The account, as it is stored.
    pub account: &'a Account,
    /// Whether it is only just being made.
    pub is_new: bool,
    /// Prepaid credits that are neither spent nor set aside.
    pub free: i64,
    /// The configured plans.
    pub plans: &'a BTreeMap<String, Plan>,
    /// The terms of renewal.
    pub terms: &'a Terms,
    /// The moment.
    pub now: UnixSeconds,
}

/// The subscription that counts.
struct Chosen {
    standing: Standing,
    firm: bool,
    allowance: u64,
}

impl Remembered {
    /// Takes up how an object stands, and says what changes for the account, and how many credits could not be taken
    /// back. `None` if that is known already.
    pub fn take(&mut self, id: &str, copy: Copy, at: &Standpoint<'_>) -> Option<(Changes, i64)> {
        let held = self.objects.entry(id.into()).or_default();
        if held.revision >= copy.revision {
            return None;
        }
        // What is taken away was given as it was given.
        held.firm = if copy.facts.is_some() { copy.firm } else { held.firm };
        (held.revision, held.facts) = (copy.revision, copy.facts);
        let (credits, spares, missing) = held.settle(at.free);
        let mut changes = Changes { credits, only_free: spares, ..self.billing(at) };
        if changes.plan.is_none() && at.is_new {
            changes.plan = Some(at.terms.default_plan.clone());
        }
        Some((changes, missing))
    }

    /// Plan and period change only when what the subscriptions come to does, or its end is due; so an explicit allowance
    /// outlives renewals.
    fn billing(&mut self, at: &Standpoint<'_>) -> Changes {
        let stored = at.account.billing_period;
        let is_due = stored.is_some_and(|stored| stored.must_fall(at.terms.renewal_grace, at.now));
        let Some(chosen) = self.chosen(at) else { return self.withdraw(at) };
        let Standing { bought, period, .. } = &chosen.standing;
        let is_written = |written: &Written| (&written.bought, &written.period) == (bought, period);
        if !is_due && self.written.as_ref().is_some_and(is_written) {
            return Changes::default();
        }
        let over = at.now >= period.lapses(at.terms.renewal_grace);
        let plan = if over { self.ended(at) } else { self.assigned(&chosen, at) };
        let was = self.written.take().and_then(|written| written.plan);
        let on = if over { None } else { plan.as_ref().map(|(name, _)| name.clone()).or(was) };
        self.written = Some(Written { bought: bought.clone(), period: *period, plan: on });
        // Without a plan there is none to fall from.
        let period = BillingPeriod { fallen: over || bought.is_none(), ..*period };
        let moves = stored.map_or_else(Vec::new, |stored| moves(&stored, &period, at.terms.renewal_grace, at.now));
        Changes { plan, period: Some(period), moves, ..Changes::default() }
    }

    /// The plan to assign, and its included credits; `None` if the account is on it, or none is configured by that name.
    fn assigned(&mut self, chosen: &Chosen, at: &Standpoint<'_>) -> Option<(String, u64)> {
        let Bought { plan, .. } = chosen.standing.bought.as_ref()?;
        let has_fallen = at.account.billing_period.is_some_and(|stored| stored.fallen);
        let same = self.written.as_ref().is_some_and(|written| written.bought == chosen.standing.bought);
        if chosen.firm {
            self.before = None;
        }
        if same && !has_fallen {
            return None;
        }
        if !at.plans.contains_key(plan) {
            tracing::warn!(plan, "a subscription is to a plan that is configured no longer");
            return None;
        }
        if !chosen.firm && !self.is_on_stripes_plan(at) && !at.is_new {
            self.before = Some((at.account.membership.clone(), at.account.credits));
        }
        Some((plan.clone(), chosen.allowance))
    }

    /// The plan that is left when a subscription is over: what stood before, else the default one. `None` if the fall is
    /// written already, or there is nothing to fall from.
    fn ended(&mut self, at: &Standpoint<'_>) -> Option<(String, u64)> {
        let default = &at.terms.default_plan;
        let back = self.before.take();
        let falls = match at.account.billing_period {
            Some(stored) if stored.fallen => back.is_some() && at.account.membership == default.0,
            Some(_) => true,
            None => self.is_on_stripes_plan(at),
        };
        falls.then(|| back.unwrap_or_else(|| default.clone()))
    }

    /// No subscription is the account's any more, or none that counts.
    fn withdraw(&mut self, at: &Standpoint<'_>) -> Changes {
        if self.written.is_none() {
            return Changes::default();
        }
        let plan = if self.is_on_stripes_plan(at) { self.ended(at) } else { None };
        self.written = None;
        let period = at.account.billing_period.map(|stored| {
            let ends_at = stored.ends_at.map_or(at.now, |ends_at| ends_at.min(at.now));
            BillingPeriod { ends_at: Some(ends_at), fallen: true, ..stored }
        });
        Changes { plan, period, ..Changes::default() }
    }

    /// Of several subscriptions: one that is provided and paid for before one that goes on by grace, and that before one
    /// that is over; then the one whose plan has the most credits, then the latest period.
    fn chosen(&self, at: &Standpoint<'_>) -> Option<Chosen> {
        let floor = self.floor(at);
        let grace = at.terms.renewal_grace;
        let held = self.objects.values();
        let all = held.filter_map(|held| Some((held.firm, held.facts.as_ref()?.subscription.as_ref()?)));
        let standings = all.filter_map(|(firm, facts)| {
            // By grace, it would only put off what comes back after it.
            let spared = !firm && floor.as_ref().is_some_and(|(name, _)| *name != at.terms.default_plan.0);
            let standing = facts.standing(if spared { Duration::ZERO } else { grace })?;
            let allowance = standing.bought.as_ref().map_or(0, |bought| allowance(bought, at.plans));
            let is_lower = floor.as_ref().is_some_and(|(_, credits)| allowance < *credits);
            // Whoever chose the account cannot lower what it has.
            (firm || !is_lower).then_some(Chosen { standing, firm, allowance })
        });
        standings.max_by_key(|chosen| {
            let Standing { live, unpaid, period, .. } = &chosen.standing;
            let live = *live && at.now < period.lapses(grace);
            (live, live && !unpaid, if live { chosen.allowance } else { 0 }, period.start, chosen.firm)
        })
    }

    /// What a subscription that only a `client_reference_id` gives to the account must not lower.
    fn floor(&self, at: &Standpoint<'_>) -> Option<(String, u64)> {
        if at.is_new || self.is_on_stripes_plan(at) {
            return self.before.clone();
        }
        Some((at.account.membership.clone(), at.account.credits)).filter(|(name, _)| !name.is_empty())
    }

    fn is_on_stripes_plan(&self, at: &Standpoint<'_>) -> bool {
        self.written.as_ref().is_some_and(|written| written.plan.as_ref() == Some(&at.account.membership))
    }
}

impl Held {
    /// The credits to add, or to take if negative; whether only free ones may be taken; and how many cannot be.
    fn settle(&mut self, free: i64) -> (i64, bool, i64) {
        let worth = self.facts.as_ref().map_or(0, |facts| facts.payment.credits());
        let (was, has) = (self.worth, self.worth.saturating_add(self.spared));
        self.worth = worth;
        if worth >= was {
            // What was spared is not given twice.
            self.spared = (has - worth).max(0);
            return ((worth - has).max(0), false, 0);
        }
        let owed = was - worth;
        let taken = if self.firm { owed } else { owed.min(free.max(0)) };
        self.spared += owed - taken;
        (-taken, !self.firm, owed - taken)
    }
}

/// The plan's number times the quantity.
fn allowance(bought: &Bought, plans: &BTreeMap<String, Plan>) -> u64 {
    let credits = plans.get(&bought.plan).map_or(0, |plan| plan.credits);
    credits.saturating_mul(bought.quantity).min(MOST_CREDITS.max(credits))
}
