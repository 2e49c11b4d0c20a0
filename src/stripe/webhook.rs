//! The webhook: a delivery is verified, read, decided and written, together with every parked event that it frees.

use super::{
    effect::{Decision, Effect, Reason},
    event::{Event, EventFault},
    order::{PlanChange, Remembered},
    signature::{SignatureFault, Verifier},
};
use crate::{
    clock::Clock,
    config::{Config, SecretError, StripeConfig},
    domain::{
        caller::{Account, Overrides, Uid},
        plan::{Plan, Terms},
        refusal::{Refusal, Shortage},
    },
    store::{self, Changes, Fault, ParkedEvent, Stepped, Store, StripeState, StripeStep},
    telemetry::Record,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// How often a step is computed anew because another one for the same account came in between.
const TRIES: usize = 32;

/// When Stripe, told that the store is away, may ask again; it has a schedule of its own.
const RETRY_SOON: Duration = Duration::from_secs(1);

/// Where Stripe's events come in.
pub struct Webhook {
    store: Arc<dyn Store>,
    /// `None`: no secret is configured, and the webhook is off.
    verifier: Option<Verifier>,
    config: StripeConfig,
    plans: BTreeMap<String, Plan>,
    terms: Terms,
    clock: Clock,
}

/// Why a delivery is not taken. Stripe sends it again for some days.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// It is not from Stripe, or not lately.
    #[error(transparent)]
    Signature(#[from] SignatureFault),
    /// It is no event that this gateway reads.
    #[error(transparent)]
    Event(#[from] EventFault),
    /// What follows from it could not be written.
    #[error(transparent)]
    Store(#[from] Fault),
}

impl NotTaken {
    /// Words for the sender.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Signature(_) => Refusal::BadSignature,
            Self::Event(_) => Refusal::NotAnEvent,
            Self::Store(_) => Refusal::Unavailable { shortage: Shortage::StoreUnavailable, retry_after: RETRY_SOON },
        }
    }
}

impl Webhook {
    /// A webhook that writes to this store. The error is about a file of secrets.
    pub fn new(store: Arc<dyn Store>, config: &Config, clock: Clock) -> Result<Self, SecretError> {
        let secrets = config.stripe.given_webhook_secrets()?;
        let tolerance = Duration::from_secs(config.stripe.tolerance_s);
        let verifier = (!secrets.is_empty()).then(|| Verifier::new(&secrets, tolerance));
        let (plans, terms) = (config.plans.clone(), config.terms());
        Ok(Self { store, verifier, config: config.stripe.clone(), plans, terms, clock })
    }

    /// Whether there is a secret that deliveries could be signed with.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.verifier.is_some()
    }

    /// Takes a delivery: when this answers `Ok`, whatever follows from it is durable. `signature` is the
    /// `Stripe-Signature` header, empty if there was none.
    pub async fn take(&self, signature: &str, body: &[u8], record: &mut Record) -> Result<(), NotTaken> {
        let now = self.clock.now().seconds();
        self.verifier
            .as_ref()
            .map_or(Err(SignatureFault::NoMatch), |verifier| verifier.verify(signature, body, now))?;
        let event = Event::parse(body)?;
        let id = event.id.clone();
        self.take_with_what_it_frees(event, record).await.map_err(|fault| {
            record.events.push("store_away");
            record.cause = Some(format!("{id}: {fault}"));
            fault.into()
        })
    }

    async fn take_with_what_it_frees(&self, event: Event, record: &mut Record) -> store::Result<()> {
        let mut waiting = vec![event];
        let mut looked_under = BTreeSet::new();
        while let Some(event) = waiting.pop() {
            let (outcome, learnt) = match self.decide(&event).await? {
                Decision::Ignore(reason @ (Reason::OtherType | Reason::NoOwner)) => {
                    note(record, &event, reason.as_str());
                    continue;
                }
                // It may have been parked before the configuration said otherwise.
                Decision::Ignore(reason) => (reason.as_str(), Vec::new()),
                Decision::Park { aliases } => {
                    self.store.park(&parked(&event, aliases.clone())?).await?;
                    // Whoever learns an id looks for parked events afterwards; so the id is looked up after parking.
                    if self.store.stripe_owner(&aliases).await?.is_some() {
                        waiting.push(event);
                    } else {
                        note(record, &event, "parked");
                    }
                    continue;
                }
                Decision::Apply { uid, learn, effect } => {
                    let outcome = self.apply(&event.id, &uid, &learn, &effect).await?;
                    record.uid.get_or_insert(uid);
                    (outcome, learn)
                }
            };
            note(record, &event, outcome);
            self.store.unpark(&event.id).await?;
            let fresh: Vec<_> = learnt.into_iter().filter(|alias| looked_under.insert(alias.clone())).collect();
            waiting.extend(self.parked_under(&fresh).await?);
        }
        Ok(())
    }

    async fn decide(&self, event: &Event) -> store::Result<Decision> {
        let known = self.store.stripe_owner(&event.owner.aliases).await?;
        if let (Some(named), Some(known)) = (&event.owner.uid, &known)
            && named != known
        {
            let (event, aliases) = (&event.id, event.owner.aliases.join(" "));
            tracing::warn!(event, aliases, %named, %known, "an event names another account than its ids lead to");
        }
        Ok(Decision::of(event, &self.config, known.as_ref()))
    }

    /// Writes an effect. Another step for the account that comes in between makes it start anew.
    async fn apply(&self, event: &str, uid: &Uid, learn: &[String], effect: &Effect) -> store::Result<&'static str> {
        for _ in 0..TRIES {
            let state = self.store.stripe_state(uid).await?;
            let (expected, mut remembered) = (state.version, remembered(&state)?);
            let changes = self.changes(&mut remembered, state.account, uid, effect);
            let step = StripeStep {
                event: event.into(),
                uid: uid.clone(),
                expected,
                remembered: serde_json::to_string(&remembered).map_err(|error| unexpected(&error))?,
                learn: learn.into(),
                changes,
            };
            match self.store.apply_stripe(&step).await? {
                Stepped::Applied => return Ok("applied"),
                Stepped::Duplicate => return Ok("duplicate"),
                Stepped::Stale => {}
            }
        }
        Err(Fault::Unavailable(format!("account {uid} was changed {TRIES} times meanwhile")))
    }

    /// What the effect changes, given how the account stands.
    fn changes(&self, remembered: &mut Remembered, account: Option<Account>, uid: &Uid, effect: &Effect) -> Changes {
        let is_new = account.is_none();
        let account = account.unwrap_or_else(|| nobody_yet(uid));
        let update = remembered.apply(effect, &account, self.terms.renewal_grace, self.clock.now().seconds());
        let plan = match update.plan {
            Some(PlanChange::To(name)) => self.plan(name),
            Some(PlanChange::ToDefault) => Some(self.terms.default_plan.clone()),
            None => None,
        };
        Changes {
            plan: plan.or_else(|| is_new.then(|| self.terms.default_plan.clone())),
            period: update.period,
            moves: update.moves,
            credits: update.credits,
        }
    }

    /// A plan and its credits; one that is configured no longer cannot be assigned.
    fn plan(&self, name: String) -> Option<(String, u64)> {
        let found = self.plans.get(&name).map(|plan| plan.credits);
        if found.is_none() {
            tracing::warn!(plan = name, "a subscription is to a plan that is configured no longer");
        }
        Some((name, found?))
    }

    async fn parked_under(&self, aliases: &[String]) -> store::Result<Vec<Event>> {
        if aliases.is_empty() {
            return Ok(Vec::new());
        }
        let parked = self.store.parked_under(aliases).await?;
        let events = parked.into_iter().filter_map(|parked| {
            let read = serde_json::from_str(&parked.event);
            read.inspect_err(|error| tracing::warn!(event = parked.id, %error, "a parked event cannot be read")).ok()
        });
        Ok(events.collect())
    }
}

fn remembered(state: &StripeState) -> store::Result<Remembered> {
    let read = |text: &String| serde_json::from_str(text).map_err(|error| unexpected(&error));
    state.remembered.as_ref().map_or_else(|| Ok(Remembered::default()), read)
}

fn parked(event: &Event, aliases: Vec<String>) -> store::Result<ParkedEvent> {
    Ok(ParkedEvent {
        id: event.id.clone(),
        created: event.created,
        about: event.kind.about().into(),
        aliases,
        event: serde_json::to_string(event).map_err(|error| unexpected(&error))?,
    })
}

/// The delivered event comes first and is named in the log; what it frees is counted.
fn note(record: &mut Record, event: &Event, outcome: &'static str) {
    record.events.push(outcome);
    record.cause.get_or_insert_with(|| format!("{} {outcome}", event.id));
}

/// An account that Stripe knows before the gateway does.
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

fn unexpected(error: &serde_json::Error) -> Fault {
    Fault::Unexpected(format!("what is remembered of Stripe's events: {error}"))
}
