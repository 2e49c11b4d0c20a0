//! For tests: the results of events, in maps. Events are processed as [`super::intake`] does it, without a store.

use super::{
    account::{Remembered, Standpoint},
    claims::{Claims, Rank},
    event::Event,
    news::News,
    object::{Customer, Leads, Object},
    samples::{config, unix},
};
use crate::{
    config::StripeConfig,
    domain::{
        account::{Account, Overrides, Uid},
        period::{Move, Window},
        plan::{Plan, Terms},
        rate_limit::Burst,
        time::UnixMicros,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

pub(super) const GRACE: Duration = Duration::from_hours(72);

/// The accounts and their stored state, written as a store would write them.
#[derive(Clone, Debug)]
pub(super) struct Books {
    pub(super) config: StripeConfig,
    objects: BTreeMap<String, Object>,
    customers: BTreeMap<String, Customer>,
    pub(super) accounts: BTreeMap<Uid, Account>,
    remembered: BTreeMap<Uid, Remembered>,
    waiting: BTreeMap<String, Event>,
    pub(super) moved: Vec<Move>,
    /// Credits that could not be taken back.
    pub(super) spared: i64,
    /// The number of writes after which everything stops, as in a crash.
    pub(super) writes_left: Option<usize>,
}

/// The visible state of an account: plan, credits, window, balance.
pub(super) type Visible = (String, u64, Window, i64);

impl Books {
    /// One account, 42, on the default plan.
    pub(super) fn new() -> Self {
        let mut books = Self {
            config: config(),
            objects: BTreeMap::new(),
            customers: BTreeMap::new(),
            accounts: BTreeMap::new(),
            remembered: BTreeMap::new(),
            waiting: BTreeMap::new(),
            moved: Vec::new(),
            spared: 0,
            writes_left: None,
        };
        books.open("42");
        books
    }

    pub(super) fn of<'a>(events: impl IntoIterator<Item = &'a Event>, now: i64) -> Self {
        let mut books = Self::new();
        events.into_iter().for_each(|event| books.take(event, now));
        books
    }

    pub(super) fn open(&mut self, uid: &str) {
        let uid = Uid::new(uid).unwrap();
        let account = Account {
            uid: uid.clone(),
            membership: "Free".into(),
            credits: 50,
            prepaid: 0,
            email_verified: true,
            overrides: Overrides::default(),
            billing_period: None,
        };
        self.accounts.insert(uid, account);
    }

    pub(super) fn account(&mut self, uid: &str) -> &mut Account {
        self.accounts.get_mut(&Uid::new(uid).unwrap()).unwrap()
    }

    /// The parked events, by their ids.
    pub(super) fn waiting(&self) -> Vec<&str> {
        self.waiting.keys().map(String::as_str).collect()
    }

    pub(super) fn visible(&self, uid: &str, now: i64) -> Visible {
        let account = terms().in_force(self.accounts[&Uid::new(uid).unwrap()].clone(), unix(now));
        let window = Window::at(account.billing_period.as_ref(), GRACE, unix(now));
        (account.membership, account.credits, window, account.prepaid)
    }

    /// Account 42, as it is stored.
    pub(super) fn ours(&self) -> &Account {
        &self.accounts[&Uid::new("42").unwrap()]
    }

    /// The plan of account 42, as it is stored.
    pub(super) fn plan(&self) -> &str {
        &self.ours().membership
    }

    /// The window of account 42.
    pub(super) fn window(&self, now: i64) -> Window {
        self.visible("42", now).2
    }

    /// The plan that counts now.
    pub(super) fn membership(&self, uid: &str, now: i64) -> String {
        self.visible(uid, now).0
    }

    /// The prepaid balance.
    pub(super) fn prepaid(&self, uid: &str) -> i64 {
        self.accounts[&Uid::new(uid).unwrap()].prepaid
    }

    pub(super) fn take(&mut self, event: &Event, now: i64) {
        if !self.hears(event, now) {
            self.waiting.insert(event.id.clone(), event.clone());
        }
        // A store returns only the events that may be due; here all parked events are tried.
        while let Some(id) = {
            let waiting = self.waiting.clone();
            waiting.into_iter().find_map(|(id, event)| self.hears(&event, now).then_some(id))
        } {
            self.waiting.remove(&id);
        }
    }

    /// Moves an object as the operator does.
    pub(super) fn move_to(&mut self, id: &str, uid: &str, now: i64) {
        let claims = Claims::of_operator(&Uid::new(uid).unwrap(), UnixMicros(now * 1_000_000));
        self.objects.entry(id.into()).or_default().claim(claims);
        self.settle(id, now);
    }

    /// Whether the event need not wait.
    fn hears(&mut self, event: &Event, now: i64) -> bool {
        let Ok(news) = News::of(event, &self.config) else { return true };
        let every = self.config.prices.is_empty();
        let mut done = !news.unreadable_credits;
        for telling in &news.tellings {
            if self.has_crashed() {
                return true;
            }
            done &= self.objects.entry(telling.object.clone()).or_default().take(telling, every);
            self.settle(&telling.object, now);
            done &= self.objects[&telling.object].owner().is_some();
        }
        done
    }

    /// Called before every write.
    fn has_crashed(&mut self) -> bool {
        let crashed = self.writes_left == Some(0);
        self.writes_left = self.writes_left.map(|left| left.saturating_sub(1));
        crashed
    }

    fn settle(&mut self, id: &str, now: i64) {
        self.settle_alone(id, now);
        let object = &self.objects[id];
        if object.owner().is_some_and(|(_, rank)| rank > Rank::Customer)
            && let Some(customer) = object.customer().and_then(|customer| self.customers.get(customer))
        {
            for stray in customer.strays() {
                self.settle_alone(&stray, now);
            }
        }
    }

    fn settle_alone(&mut self, id: &str, now: i64) {
        let mut object = self.objects[id].clone();
        if let Some(name) = object.customer().map(str::to_owned) {
            if self.has_crashed() {
                return;
            }
            let customer = self.customers.entry(name).or_default();
            customer.note(id, &object);
            if let (Leads::To(lead), None | Some((_, Rank::Customer))) = (customer.leads(), object.owner()) {
                object.follow(lead);
            }
        }
        object.place();
        if self.has_crashed() {
            return;
        }
        // The next step reads the written state again.
        let text = serde_json::to_string(&object).unwrap();
        self.objects.insert(id.into(), serde_json::from_str(&text).unwrap());
        for (uid, copy) in object.copies(self.config.prices.is_empty()) {
            let text = serde_json::to_string(&self.remembered.entry(uid.clone()).or_default()).unwrap();
            let mut remembered: Remembered = serde_json::from_str(&text).unwrap();
            let account = self.accounts.get_mut(&uid).expect("an account that a test has opened");
            let (plans, terms) = (plans(), terms());
            let at = Standpoint {
                account: &account.clone(),
                is_new: false,
                free: account.prepaid,
                plans: &plans,
                terms: &terms,
                now: unix(now),
            };
            let Some((changes, spared)) = remembered.take(id, copy, &at) else { continue };
            if self.writes_left == Some(0) {
                return;
            }
            self.writes_left = self.writes_left.map(|left| left - 1);
            self.remembered.insert(uid, remembered);
            if let Some(plan) = changes.plan {
                (account.membership, account.credits) = plan;
            }
            account.billing_period = changes.period.or(account.billing_period);
            account.prepaid += changes.credits;
            self.moved.extend(changes.moves);
            self.spared += spared;
        }
        if self.has_crashed() {
            return;
        }
        if let Some(customer) = object.customer().and_then(|name| self.customers.get_mut(name)) {
            customer.note(id, &object);
        }
    }

    /// The plan, credits, window and balance of every account.
    pub(super) fn everybody(&self, now: i64) -> BTreeMap<&str, Visible> {
        let uids: BTreeSet<&str> = self.accounts.keys().map(Uid::as_str).collect();
        uids.into_iter().map(|uid| (uid, self.visible(uid, now))).collect()
    }
}

fn terms() -> Terms {
    Terms { renewal_grace: GRACE, default_plan: ("Free".into(), 50) }
}

fn plans() -> BTreeMap<String, Plan> {
    let plan = |credits| Plan { credits, burst: Burst { per_minute: 1, size: 1 }, priority: 0, max_pixels: None };
    let plans = [("Free", 50), ("Starter", 100), ("Pro", 5_000), ("Premium-20000", 20_000)];
    plans.map(|(name, credits)| (name.to_owned(), plan(credits))).into()
}
