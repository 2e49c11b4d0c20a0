//! The webhook: it verifies and reads a delivery, and processes it together with every parked event that it frees.

use super::{
    event::{Event, EventFault},
    intake::{Intake, Taken},
    reprocess::Reprocessor,
    signature::{SignatureFault, Verifier},
};
use crate::{
    clock::Clock,
    config::{Config, SecretError},
    domain::refusal::{Refusal, Shortage},
    store::{self, Billing, Fault},
    telemetry::{Metrics, Record, StripeEvent, StripeOutcome},
};
use arc_swap::ArcSwap;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, OnceCell},
    time::{sleep, timeout},
};
use tracing::debug;

/// When Stripe is told to retry if the store is unavailable. Stripe has a schedule of its own.
const RETRY_SOON: Duration = Duration::from_secs(1);

/// How often parked events are counted, at least and at most: there may be thousands.
const COUNT_EVERY: Duration = Duration::from_secs(30);
const COUNT_PAUSE: Duration = Duration::from_secs(1);

/// The receiver of Stripe's events.
pub struct Webhook {
    /// A delivery is processed by the one that it began with.
    intake: ArcSwap<Intake>,
    /// `None` if no secret is configured, which disables the webhook.
    verifier: Option<Verifier>,
    clock: Clock,
    /// Set once the events that waited for a price have been processed again with the prices of this start.
    looked_again: OnceCell<()>,
    metrics: Arc<Metrics>,
    /// Tells that events may have been parked or freed.
    changed: Notify,
    /// Processes events again whose results the store has lost.
    reprocessor: Arc<Reprocessor>,
}

/// Why a delivery is not accepted. Stripe sends it again for some days.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// It is not from Stripe, or not recent.
    #[error(transparent)]
    Signature(#[from] SignatureFault),
    /// It is not an event that this gateway reads.
    #[error(transparent)]
    Event(#[from] EventFault),
    /// Its results could not be written.
    #[error(transparent)]
    Store(#[from] Fault),
}

impl NotTaken {
    /// The message for the sender.
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
    pub fn new(
        store: Arc<dyn Billing>,
        config: &Config,
        clock: Clock,
        metrics: Arc<Metrics>,
        reprocessor: Arc<Reprocessor>,
    ) -> Result<Self, SecretError> {
        let secrets = config.stripe.given_webhook_secrets()?;
        let tolerance = Duration::from_secs(config.stripe.tolerance_s);
        let verifier = (!secrets.is_empty()).then(|| Verifier::new(&secrets, tolerance));
        let intake = ArcSwap::from_pointee(Intake::new(store, config, clock.clone()));
        let (looked_again, changed) = (OnceCell::new(), Notify::new());
        Ok(Self { intake, verifier, clock, looked_again, metrics, changed, reprocessor })
    }

    /// Uses the plans of this configuration for deliveries from now on.
    pub fn use_plans(&self, config: &Config) {
        self.intake.rcu(|intake| intake.with_plans(config));
        self.reprocessor.use_plans(config);
    }

    /// Whether a signing secret is configured.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.verifier.is_some()
    }

    /// Whether this `Stripe-Signature` header has a signature and a recent time. It is checked before the body is read.
    pub fn may_be_signed(&self, signature: &str) -> Result<(), NotTaken> {
        let now = self.clock.now().seconds();
        let verifier = self.verifier.as_ref().ok_or(SignatureFault::NoMatch)?;
        Ok(verifier.may_fit(signature, now)?)
    }

    /// Processes a delivery. When this returns `Ok`, all its results are durable. `signature` is the
    /// `Stripe-Signature` header, empty if there was none.
    pub async fn take(&self, signature: &str, body: &[u8], record: &mut Record) -> Result<(), NotTaken> {
        let now = self.clock.now().seconds();
        self.verifier
            .as_ref()
            .map_or(Err(SignatureFault::NoMatch), |verifier| verifier.verify(signature, body, now))?;
        let event = Event::parse(body)?;
        let (id, kind) = (event.id.clone(), event.kind.label());
        self.metrics.heard_of_stripe(now);
        let mut taken = Taken::default();
        let intake = self.intake.load_full();
        let outcome = match self.look_again().await {
            Ok(()) => intake.take(event, &mut taken).await,
            Err(fault) => Err(fault),
        };
        record.events.append(&mut taken.events);
        self.changed.notify_one();
        record.cause = record.cause.take().or(taken.first);
        record.uid = record.uid.take().or(taken.uid);
        outcome.map_err(|fault| {
            record.events.push(StripeEvent { kind, outcome: StripeOutcome::StoreUnavailable, lag: None });
            record.cause = Some(format!("{id}: {}", fault.cause()));
            fault.into()
        })
    }

    /// Counts the parked events for the metrics, for ever: after each delivery, and now and then, as other gateways on the
    /// same store take deliveries too.
    pub async fn keep_counting_parked(&self) {
        while self.is_on() {
            match self.intake.load_full().parked().await {
                Ok(events) => self.metrics.parked(events),
                Err(fault) => debug!(%fault, "parked events of Stripe could not be counted"),
            }
            sleep(COUNT_PAUSE).await;
            // It does not matter which of the two it was.
            let _ = timeout(COUNT_EVERY, self.changed.notified()).await;
        }
    }

    /// Processes the events that waited for a price again, once: at the start, or if the store was unavailable then,
    /// with the next event.
    pub async fn look_again(&self) -> store::Result<()> {
        if !self.is_on() {
            return Ok(());
        }
        let intake = self.intake.load_full();
        self.looked_again.get_or_try_init(|| intake.look_again()).await.copied()
    }
}
