//! An account's copies of Stripe's objects, and the plan, period and prepaid credits that follow from them.

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

/// All copies of Stripe's objects that an account has, and what was last written to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Remembered {
    objects: BTreeMap<String, Held>,
    written: Option<Written>,
    /// The plan and allowance before a subscription that only a `client_reference_id` gives to the account. They are
    /// restored when it ends.
    before: Option<(String, u64)>,
}

/// The account's copy of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    revision: u64,
    firm: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<Facts>,
    /// The object's credits when they were last written.
    worth: i64,
    /// The credits that should have been taken back and could not be.
    #[serde(default)]
    spared: i64,
}

/// The plan and period that were last written to the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    bought: Option<Bought>,
    period: BillingPeriod,
    /// The plan that the account has because of it; `None` once that has ended.
    plan: Option<String>,
}

/// The input from which an account's changes are computed.
#[derive(Clone, Copy, Debug)]
pub struct Standpoint<'a> {
    /// The account, as it is stored.
    pub account: &'a Account,
    /// Whether the account is being created now.
    pub is_new: bool,
    /// The prepaid credits that are neither spent nor held.
    pub free: i64,
    /// The configured plans.
    pub plans: &'a BTreeMap<String, Plan>,
    /// The terms of renewal.
    pub terms: &'a Terms,
    /// The current time.
    pub now: UnixSeconds,
}

/// The subscription that counts.
struct Chosen {
    standing: Standing,
    firm: bool,
    allowance: u64,
}

impl Remembered {
    /// Stores the copy of an object. Returns the changes of the account, and how many credits could not be taken back;
    /// `None` if the copy is not newer than the stored one.
    pub fn take(&mut self, id: &str, copy: Copy, at: &Standpoint<'_>) -> Option<(Changes, i64)> {
        let held = self.objects.entry(id.into()).or_default();
        if held.revision >= copy.revision {
            return None;
        }
        // When an object is taken from the account, the earlier `firm` still counts: the credits were given under it.
        held.firm = if copy.facts.is_some() { copy.firm } else { held.firm };
        (held.revision, held.facts) = (copy.revision, copy.facts);
        let (credits, spares, missing) = held.settle(at.free);
        let mut changes = Changes { credits, only_free: spares, ..self.billing(at) };
        if changes.plan.is_none() && at.is_new {
            changes.plan = Some(at.terms.default_plan.clone());
        }
        Some((changes, missing))
    }

    /// The changes of plan and period. They change only when the result of the subscriptions changes or its end is due,
    /// so an explicit allowance outlives renewals.
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
        // Without a plan, the default plan need not be written when the period ends.
        let period = BillingPeriod { fallen: over || bought.is_none(), ..*period };
        let moves = stored.map_or_else(Vec::new, |stored| moves(&stored, &period, at.terms.renewal_grace, at.now));
        Changes { plan, period: Some(period), moves, ..Changes::default() }
    }

    /// The plan to assign, and its included credits; `None` if the account is on it, or no such plan is configured.
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

    /// The plan after the end of a subscription: the earlier plan, or else the default one. `None` if the end is
    /// already written, or the account has no plan to lose.
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

    /// The changes when no subscription counts for the account any more.
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

    /// Chooses one of several subscriptions. A provided and paid one is preferred to one in its grace time, and that to
    /// one that is over; then the plan with the most credits is preferred, then the latest period.
    fn chosen(&self, at: &Standpoint<'_>) -> Option<Chosen> {
        let floor = self.floor(at);
        let grace = at.terms.renewal_grace;
        let held = self.objects.values();
        let all = held.filter_map(|held| Some((held.firm, held.facts.as_ref()?.subscription.as_ref()?)));
        let standings = all.filter_map(|(firm, facts)| {
            // A grace time would only delay the earlier plan, which is restored after it.
            let spared = !firm && floor.as_ref().is_some_and(|(name, _)| *name != at.terms.default_plan.0);
            let standing = facts.standing(if spared { Duration::ZERO } else { grace })?;
            let allowance = standing.bought.as_ref().map_or(0, |bought| allowance(bought, at.plans));
            let is_lower = floor.as_ref().is_some_and(|(_, credits)| allowance < *credits);
            // A buyer who chose the account by a `client_reference_id` cannot lower its plan.
            (firm || !is_lower).then_some(Chosen { standing, firm, allowance })
        });
        standings.max_by_key(|chosen| {
            let Standing { live, unpaid, period, .. } = &chosen.standing;
            let live = *live && at.now < period.lapses(grace);
            (live, live && !unpaid, if live { chosen.allowance } else { 0 }, period.start, chosen.firm)
        })
    }

    /// The plan and allowance below which a subscription by `client_reference_id` alone must not bring the account.
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
    /// Returns the credits to add (negative: to take), whether only free ones may be taken, and how many cannot be
    /// taken.
    fn settle(&mut self, free: i64) -> (i64, bool, i64) {
        let worth = self.facts.as_ref().map_or(0, |facts| facts.payment.credits());
        let (was, has) = (self.worth, self.worth.saturating_add(self.spared));
        self.worth = worth;
        if worth >= was {
            // Credits that could not be taken back are not given again.
            self.spared = (has - worth).max(0);
            return ((worth - has).max(0), false, 0);
        }
        let owed = was - worth;
        let taken = if self.firm { owed } else { owed.min(free.max(0)) };
        self.spared += owed - taken;
        (-taken, !self.firm, owed - taken)
    }
}

/// The plan's credits times the quantity.
fn allowance(bought: &Bought, plans: &BTreeMap<String, Plan>) -> u64 {
    let credits = plans.get(&bought.plan).map_or(0, |plan| plan.credits);
    credits.saturating_mul(bought.quantity).min(MOST_CREDITS.max(credits))
}
