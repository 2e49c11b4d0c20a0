//! The processing of events: their content is merged into the documents of Stripe's objects, and each account gets
//! copies of its objects.
//!
//! Each document and each account is written in a separate step. After a crash between two steps, Stripe sends the
//! event again, and processing it again completes the remaining steps (decision 0011).

mod document;
mod journal_event;
mod transfer;

pub(super) use journal_event::JournalEvent;
pub use transfer::Moved;

use super::{
    account::{Remembered, Standpoint},
    claims::Rank,
    event::Event,
    news::{News, Reason, Telling},
    object::{Copy, Customer, Leads, Object},
};
use crate::{
    clock::Clock,
    config::{Config, StripeConfig},
    domain::{
        account::{Account, Overrides, Uid},
        plan::{Plan, Terms},
    },
    store::{self, Billing, Fault, ParkedEvent, StepOutcome, StripeState, StripeStep},
    telemetry::{StripeEvent, StripeOutcome},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// How often a step is repeated because another step changed the same data.
const TRIES: usize = 32;

/// Processes events.
pub struct Intake {
    store: Arc<dyn Billing>,
    config: StripeConfig,
    plans: BTreeMap<String, Plan>,
    terms: Terms,
    clock: Clock,
}

/// The outcome of an event and of the parked events that it freed.
#[derive(Debug, Default)]
pub struct Taken {
    /// What became of each event.
    pub events: Vec<StripeEvent>,
    /// The delivered event and its outcome.
    pub first: Option<String>,
    /// The account that the event was about.
    pub uid: Option<Uid>,
}

/// Why an event waits, or is shown to the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// Its owner is unknown.
    NoAccount,
    /// Only its customer could tell the owner, and the customer leads to several accounts.
    SeveralAccounts,
    /// Its subscription has not shown a configured price.
    UnlistedPrice,
    /// It sold credits, and `metadata.credits` is not a whole number.
    UnreadableCredits,
    /// It takes credits back, and too many of them were already spent.
    SpentAlready,
}

impl Waits {
    /// A short name from a closed set.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoAccount => "no_account",
            Self::SeveralAccounts => "several_accounts",
            Self::UnlistedPrice => "unlisted_price",
            Self::UnreadableCredits => "unreadable_credits",
            Self::SpentAlready => "spent_already",
        }
    }
}

/// The result of an event or of an object's change.
#[derive(Default)]
struct Heard {
    /// Whether anything was new.
    is_news: bool,
    waits: Option<Waits>,
    owner: Option<Uid>,
    /// Ids whose owner is now known. The events parked under them are due.
    learnt: Vec<String>,
    /// The credits that could not be taken back, and the account that has them.
    spared: Vec<(Uid, i64)>,
}

impl Intake {
    /// An intake that writes to this store.
    #[must_use]
    pub fn new(store: Arc<dyn Billing>, config: &Config, clock: Clock) -> Self {
        Self { store, config: config.stripe.clone(), plans: config.plans.clone(), terms: config.terms(), clock }
    }

    /// The same with the plans of this configuration. Its other settings stay as they are.
    pub(super) fn with_plans(&self, config: &Config) -> Self {
        let (store, stripe, clock) = (Arc::clone(&self.store), self.config.clone(), self.clock.clone());
        Self { store, config: stripe, plans: config.plans.clone(), terms: config.terms(), clock }
    }

    /// Processes an event and every parked event that it frees. When this returns `Ok`, all results are durable.
    pub async fn take(&self, event: Event, taken: &mut Taken) -> store::Result<()> {
        let noted = News::of(&event, &self.config).is_ok().then(|| JournalEvent::Event(Box::new(event.clone())));
        let mut waiting = vec![(event, false)];
        let mut looked_under = BTreeSet::new();
        while let Some((event, was_parked)) = waiting.pop() {
            let learnt = match News::of(&event, &self.config) {
                Err(reason) => {
                    taken.note(&event, reason.outcome(), None);
                    // It may have been parked under an earlier configuration.
                    if reason != Reason::OtherType {
                        self.store.unpark(&event.id).await?;
                    }
                    continue;
                }
                Ok(news) => self.take_one(&event, &news, was_parked, taken).await?,
            };
            let fresh: Vec<_> = learnt.into_iter().filter(|id| looked_under.insert(id.clone())).collect();
            waiting.extend(self.parked_under(&fresh).await?.into_iter().map(|event| (event, true)));
        }
        self.note(noted).await
    }

    /// Makes sure that what follows from this outlives a loss of the store's last writes.
    async fn note(&self, noted: Option<JournalEvent>) -> store::Result<()> {
        let Some(noted) = noted else { return Ok(()) };
        self.store.note_event(&serde_json::to_string(&noted).map_err(|error| unexpected(&error))?).await
    }

    /// Processes the events that wait for a price again: the configuration may name the price now.
    pub async fn look_again(&self) -> store::Result<()> {
        let waiting = self.store.parked().await?.into_iter();
        for event in read(waiting.filter(|parked| parked.reason == Waits::UnlistedPrice.as_str())) {
            let is_due = |telling: &Telling| {
                telling.fact.as_ref().is_none_or(|fact| !fact.is_unlisted()) || self.every_price_counts()
            };
            if News::of(&event, &self.config).is_ok_and(|news| news.tellings.iter().all(is_due)) {
                self.take(event, &mut Taken::default()).await?;
            }
        }
        Ok(())
    }

    /// How many events are parked.
    pub async fn parked(&self) -> store::Result<usize> {
        Ok(self.store.parked().await?.len())
    }

    async fn take_one(
        &self,
        event: &Event,
        news: &News,
        was_parked: bool,
        taken: &mut Taken,
    ) -> store::Result<Vec<String>> {
        let mut heard = self.hear(event, news).await?;
        if let Some(waits) = heard.waits {
            self.store.park(&parked(event, news, waits)?).await?;
            // Another event may have changed the object and looked for parked events before this one was parked.
            let (is_news, spared) = (heard.is_news, heard.spared);
            heard = self.hear(event, news).await?;
            heard.is_news |= is_news;
            heard.spared.extend(spared);
        }
        match heard.waits {
            Some(_) if was_parked => {}
            Some(_) => taken.note(event, StripeOutcome::Parked, None),
            None => {
                if heard.is_news || was_parked {
                    let age = self.clock.now().0.saturating_sub(event.created.micros().0);
                    let lag = Duration::from_micros(u64::try_from(age).unwrap_or(0));
                    taken.note(event, StripeOutcome::Applied, Some(lag));
                } else {
                    taken.note(event, StripeOutcome::Duplicate, None);
                }
                self.store.unpark(&event.id).await?;
            }
        }
        self.report(event, &heard.spared).await?;
        taken.uid = taken.uid.take().or(heard.owner);
        Ok(heard.learnt)
    }

    async fn hear(&self, event: &Event, news: &News) -> store::Result<Heard> {
        let mut all = Heard::default();
        for telling in &news.tellings {
            let every = self.every_price_counts();
            let (takes, _, is_news) =
                self.change(&telling.object, |object: &mut Object| object.take(telling, every)).await?;
            let mut heard = self.settle(&event.id, &telling.object).await?;
            if !takes {
                heard.waits = Some(Waits::UnlistedPrice);
            }
            all.is_news |= is_news;
            all.add(heard);
        }
        if news.unreadable_credits {
            all.waits = Some(Waits::UnreadableCredits);
        }
        Ok(all)
    }

    /// Writes the copies of an object to the accounts, and those of the objects whose owner its customer now tells.
    async fn settle(&self, operation: &str, id: &str) -> store::Result<Heard> {
        let (object, mut heard) = self.settle_alone(operation, id).await?;
        let knows = object.owner().is_some_and(|(_, rank)| rank > Rank::Customer);
        if let (true, Some(customer)) = (knows, object.customer()) {
            let (strays, ..) = self.change(customer, |customer: &mut Customer| customer.strays()).await?;
            for stray in strays {
                let (_, of_stray) = self.settle_alone(operation, &stray).await?;
                heard.spared.extend(of_stray.spared);
                heard.learnt.extend(of_stray.learnt);
            }
            heard.learnt.push(customer.to_owned());
        }
        Ok(heard)
    }

    async fn settle_alone(&self, operation: &str, id: &str) -> store::Result<(Object, Heard)> {
        let ((), object, _) = self.change(id, |_: &mut Object| ()).await?;
        let mut heard = Heard::default();
        if let Some(customer) = object.customer().map(str::to_owned) {
            let noted = |customer: &mut Customer| {
                customer.note(id, &object);
                customer.leads()
            };
            let (leads, ..) = self.change(&customer, noted).await?;
            if object.owner().is_none_or(|(_, rank)| rank == Rank::Customer) {
                if let Leads::To(lead) = &leads {
                    self.change(id, |object: &mut Object| object.follow(lead.clone())).await?;
                }
                heard.waits = Some(if leads == Leads::Apart { Waits::SeveralAccounts } else { Waits::NoAccount });
            }
        }
        let ((), object, _) = self.change(id, Object::place).await?;
        for (uid, copy) in object.copies(self.every_price_counts()) {
            let spared = self.apply(operation, &uid, (id, object.customer()), &copy).await?;
            heard.spared.extend((spared > 0).then_some((uid, spared)));
        }
        // This is written last: until the customer's document says that it is done, the object is a stray.
        if let Some(customer) = object.customer() {
            self.change(customer, |customer: &mut Customer| customer.note(id, &object)).await?;
        }
        match object.owner() {
            Some((uid, _)) => {
                (heard.waits, heard.owner) = (None, Some(uid.clone()));
                heard.learnt.push(id.to_owned());
            }
            None => heard.waits = heard.waits.or(Some(Waits::NoAccount)),
        }
        Ok((object, heard))
    }

    /// Writes the copy of an object to an account. It starts again if another step changes the account meanwhile.
    /// Returns how many credits could not be taken back.
    async fn apply(
        &self,
        operation: &str,
        uid: &Uid,
        (id, customer): (&str, Option<&str>),
        copy: &Copy,
    ) -> store::Result<i64> {
        let mut operation = operation.to_owned();
        for _ in 0..TRIES {
            let state = self.store.stripe_state(uid).await?;
            let (expected, mut remembered, is_new) = (state.version, remembered(&state)?, state.account.is_none());
            let account = state.account.unwrap_or_else(|| nobody_yet(uid));
            let held = i64::try_from(state.held_prepaid).unwrap_or(i64::MAX);
            let at = Standpoint {
                account: &account,
                is_new,
                free: account.prepaid.saturating_sub(held),
                plans: &self.plans,
                terms: &self.terms,
                now: self.clock.now().seconds(),
            };
            let Some((changes, spared)) = remembered.take(id, copy.clone(), &at) else { return Ok(0) };
            let step = StripeStep {
                event: operation.clone(),
                uid: uid.clone(),
                expected,
                remembered: serde_json::to_string(&remembered).map_err(|error| unexpected(&error))?,
                learn: [Some(id), customer].into_iter().flatten().map(str::to_owned).collect(),
                changes,
            };
            match self.store.apply_stripe(&step).await? {
                StepOutcome::Applied => return Ok(spared),
                // The event was about another object of the account, or the object was moved to another account and
                // back.
                StepOutcome::Duplicate => {
                    operation = format!("{}/{expected}", operation.split('/').next().unwrap_or(""));
                }
                StepOutcome::Stale => {}
            }
        }
        Err(Fault::Unavailable(format!("account {uid} was changed {TRIES} times meanwhile")))
    }

    /// Reports the credits that could not be taken back to the operator.
    async fn report(&self, event: &Event, spared: &[(Uid, i64)]) -> store::Result<()> {
        for (uid, credits) in spared {
            tracing::warn!(event = event.id, %uid, credits, "credits that are to be taken back are spent already");
            let news = News { tellings: Vec::new(), unreadable_credits: false };
            let mut report = parked(event, &news, Waits::SpentAlready)?;
            report.id = format!("{}/{uid}", report.id);
            report.reason = format!("{}: {credits} credits of account {uid}", report.reason);
            self.store.park(&report).await?;
        }
        Ok(())
    }

    async fn parked_under(&self, ids: &[String]) -> store::Result<Vec<Event>> {
        Ok(if ids.is_empty() { Vec::new() } else { read(self.store.parked_under(ids).await?).collect() })
    }

    fn every_price_counts(&self) -> bool {
        self.config.prices.is_empty()
    }
}

impl Heard {
    fn add(&mut self, other: Self) {
        self.is_news |= other.is_news;
        self.waits = self.waits.or(other.waits);
        self.owner = self.owner.take().or(other.owner);
        self.learnt.extend(other.learnt);
        self.spared.extend(other.spared);
    }
}

impl Taken {
    /// The delivered event comes first and is named in the log; the events that it frees are only counted.
    fn note(&mut self, event: &Event, outcome: StripeOutcome, lag: Option<Duration>) {
        self.events.push(StripeEvent { kind: event.kind.label(), outcome, lag });
        self.first.get_or_insert_with(|| format!("{} {}", event.id, outcome.as_str()));
    }
}

fn read(parked: impl IntoIterator<Item = ParkedEvent>) -> impl Iterator<Item = Event> {
    parked.into_iter().filter_map(|parked| {
        let read = serde_json::from_str(&parked.event);
        read.inspect_err(|error| tracing::warn!(event = parked.id, %error, "a parked event cannot be read")).ok()
    })
}

/// The event as it is parked: under the object alone while it waits for a price, and also under the customer while the
/// owner is unknown. An event that only a person can resolve is parked under no id.
fn parked(event: &Event, news: &News, waits: Waits) -> store::Result<ParkedEvent> {
    let objects = news.tellings.iter().map(|telling| telling.object.clone());
    let aliases: Vec<_> = match waits {
        Waits::NoAccount | Waits::SeveralAccounts => objects.chain(event.owner.customer.clone()).collect(),
        Waits::UnlistedPrice => objects.collect(),
        Waits::UnreadableCredits | Waits::SpentAlready => Vec::new(),
    };
    Ok(ParkedEvent {
        id: event.id.clone(),
        created: event.created,
        about: event.kind.about().into(),
        reason: waits.as_str().into(),
        aliases,
        event: serde_json::to_string(event).map_err(|error| unexpected(&error))?,
    })
}

fn remembered(state: &StripeState) -> store::Result<Remembered> {
    let read = |text: &String| serde_json::from_str(text).map_err(|error| unexpected(&error));
    state.remembered.as_ref().map_or_else(|| Ok(Remembered::default()), read)
}

/// A new account, which Stripe knows before the gateway does.
fn nobody_yet(uid: &Uid) -> Account {
    Account {
        uid: uid.clone(),
        membership: String::new(),
        credits: 0,
        prepaid: 0,
        email_verified: false,
        overrides: Overrides::default(),
        billing_period: None,
    }
}

pub(super) fn unexpected(error: &serde_json::Error) -> Fault {
    Fault::Unexpected(format!("what is remembered of Stripe's events: {error}"))
}
