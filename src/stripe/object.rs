//! One of Stripe's objects, and one customer: the known owner, and the known facts. Each is a document that grows by
//! merging: the result is the same whatever the order of the events, and however often each is delivered.

#[cfg(test)]
mod tests;

use super::{
    claims::{Claims, Rank},
    news::{Fact, Telling},
    purchase::PaymentFacts,
    subscription::SubscriptionFacts,
};
use crate::domain::account::Uid;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The facts about an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// The facts about a subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<SubscriptionFacts>,
    /// The facts about a payment.
    pub payment: PaymentFacts,
}

/// The copy of an object that an account is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// The object's revision. A copy that is older than the account's is late and changes nothing.
    pub revision: u64,
    /// Whether more than a `client_reference_id` says that the object is the account's.
    pub firm: bool,
    /// The facts; `None` if the object is not, or no longer, the account's.
    pub facts: Option<Facts>,
}

/// A subscription, a payment, or a session that took no payment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Object {
    /// A number that rises with every change of the other fields, except `placed`.
    revision: u64,
    claims: Claims,
    customer: Option<String>,
    by_customer: Option<Lead>,
    /// Whether any event has shown a configured price.
    listed: bool,
    facts: Facts,
    /// The accounts that may have a copy of the facts. An account is named here before it gets one.
    placed: BTreeSet<Uid>,
}

/// The account that a customer leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lead {
    /// The account.
    pub uid: Uid,
    /// Whether more than a `client_reference_id` says so.
    pub firm: bool,
}

impl Object {
    /// Merges what an event says. `false` if it is about a subscription without a listed price, which has to wait; its
    /// claims of ownership are merged all the same.
    pub fn take(&mut self, telling: &Telling, every_price_counts: bool) -> bool {
        self.changed(|object| {
            object.claims.merge(telling.claims.clone());
            object.customer = object.customer.take().max(telling.customer.clone());
            let Some(fact) = &telling.fact else { return true };
            if fact.is_unlisted() && !object.listed && !every_price_counts {
                return false;
            }
            match fact {
                Fact::Subscription(observation) => {
                    object.listed |= observation.is_listed();
                    object.facts.subscription.get_or_insert_default().observe(observation);
                }
                Fact::Sold(pack) => object.facts.payment.sold(pack),
                Fact::Reversed(cause) => object.facts.payment.reversed(cause),
            }
            true
        })
    }

    /// Merges the operator's claim.
    pub fn claim(&mut self, claims: Claims) {
        self.changed(|object| object.claims.merge(claims));
    }

    /// Sets the account that the customer leads to. It counts if there is no other claim.
    pub fn follow(&mut self, lead: Lead) {
        self.changed(|object| object.by_customer = Some(lead));
    }

    /// Records that the owner is to get a copy.
    pub fn place(&mut self) {
        let owner = self.owner().map(|(uid, _)| uid.clone());
        self.placed.extend(owner);
    }

    /// The owner, and the rank of the claim.
    #[must_use]
    pub fn owner(&self) -> Option<(&Uid, Rank)> {
        let by_customer = || self.by_customer.as_ref().map(|lead| (&lead.uid, Rank::Customer));
        self.claims.owner().or_else(by_customer)
    }

    /// The object's customer.
    #[must_use]
    pub fn customer(&self) -> Option<&str> {
        self.customer.as_deref()
    }

    /// The copies of all accounts that may have one. The accounts that are to have no facts come first, so that a crash
    /// between two writes leaves credits missing until the event is delivered again, and never gives them twice.
    #[must_use]
    pub fn copies(&self, every_price_counts: bool) -> Vec<(Uid, Copy)> {
        let owner = self.owner();
        let none = |firm| Copy { revision: self.revision, firm, facts: None };
        let firm = match owner {
            Some((_, Rank::Metadata | Rank::Operator)) => true,
            Some((_, Rank::Customer)) => self.by_customer.as_ref().is_some_and(|lead| lead.firm),
            Some((_, Rank::Reference)) | None => false,
        };
        let others = self.placed.iter().filter(|uid| owner.is_none_or(|(owner, _)| owner != *uid));
        let mut copies: Vec<_> = others.map(|uid| (uid.clone(), none(firm))).collect();
        if let Some((uid, _)) = owner {
            let mut facts = self.facts.clone();
            facts.subscription = facts.subscription.filter(|_| self.listed || every_price_counts);
            copies.push((uid.clone(), Copy { facts: Some(facts), ..none(firm) }));
        }
        copies
    }

    fn ownership(&self) -> Ownership {
        let owner = self.owner().map(|(uid, rank)| (uid.clone(), rank));
        Ownership { revision: self.revision, owner }
    }

    fn changed<T>(&mut self, change: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.clone();
        let answer = change(self);
        self.revision += u64::from(*self != before);
        answer
    }
}

/// A customer, with the owners of its objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Customer {
    /// The owner by the operator's claim.
    operator: Option<Uid>,
    objects: BTreeMap<String, Ownership>,
}

/// The revision and the owner of one of a customer's objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Ownership {
    revision: u64,
    owner: Option<(Uid, Rank)>,
}

/// The account that a customer leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leads {
    /// None of the customer's objects has a known owner.
    Nowhere,
    /// The customer leads to one account.
    To(Lead),
    /// Its objects have several owners, so the customer leads to none.
    Apart,
}

impl Customer {
    /// Records the owner of one of the customer's objects.
    pub fn note(&mut self, id: &str, object: &Object) {
        let ownership = object.ownership();
        match self.objects.get_mut(id) {
            Some(held) if held.revision >= ownership.revision => {}
            Some(held) => *held = ownership,
            None => _ = self.objects.insert(id.into(), ownership),
        }
    }

    /// Sets the owner by the operator's claim.
    pub fn belongs_to(&mut self, uid: &Uid) {
        self.operator = Some(uid.clone());
    }

    /// The account that the customer leads to.
    #[must_use]
    pub fn leads(&self) -> Leads {
        if let Some(uid) = &self.operator {
            return Leads::To(Lead { uid: uid.clone(), firm: true });
        }
        let owners = self.objects.values().filter_map(|ownership| ownership.owner.as_ref());
        let owners: Vec<_> = owners.filter(|(_, rank)| *rank > Rank::Customer).collect();
        let Some((uid, _)) = owners.first() else { return Leads::Nowhere };
        if owners.iter().any(|(other, _)| other != uid) {
            return Leads::Apart;
        }
        Leads::To(Lead { uid: uid.clone(), firm: owners.iter().any(|(_, rank)| *rank > Rank::Reference) })
    }

    /// The ids of the customer's objects.
    pub fn objects(&self) -> impl Iterator<Item = &str> {
        self.objects.keys().map(String::as_str)
    }

    /// The objects that have no owner but by the customer, and are not with the account that the customer leads to.
    #[must_use]
    pub fn strays(&self) -> Vec<String> {
        let Leads::To(Lead { uid, .. }) = self.leads() else { return Vec::new() };
        let is_stray = |ownership: &Ownership| match &ownership.owner {
            Some((owner, rank)) => *rank == Rank::Customer && *owner != uid,
            None => true,
        };
        self.objects.iter().filter(|(_, ownership)| is_stray(ownership)).map(|(id, _)| id.clone()).collect()
    }
}
