//! The metrics, filled from the records of finished requests. What is only known at a scrape comes in `scrape`.

use super::{
    handles::{
        BackendMetrics, ByteCounter, ConnectionMetrics, PlanPictures, QueueMetrics, StoreMetrics, StoreSeries,
        TokenMetrics,
    },
    label::{
        BackendClass, CallerKind, Label as _, OutcomeName, PoolLabel, RejectedBy, Route, StatusClass, Step,
        StripeOutcome, StripeType, TokenResult,
    },
    line,
    pledges::OpenPledges,
    possible,
    process_metrics::ProcessMetrics,
    record::{Outcome, Record, StripeEvent},
    series::{Counters, Histograms},
    table::Table,
};
use crate::domain::{credit::Pool, refusal::Refusal};
use arc_swap::ArcSwap;
use prometheus::{IntCounter, Registry};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// The plan of anonymous callers, as metrics name it.
const ANONYMOUS: &str = "anonymous";

/// Looks at a part of the process, and sets its gauges.
pub(super) type Source = Arc<dyn Fn(&Metrics) + Send + Sync>;

/// Every metric of the process.
pub struct Metrics {
    pub(super) registry: Registry,
    pub(super) table: Table,
    pub(super) pledges: OpenPledges,
    pub(super) sources: Mutex<Vec<Source>>,
    requests: Counters<(Route, StatusClass, CallerKind)>,
    outcomes: Counters<(Route, OutcomeName)>,
    rejections: Counters<(RejectedBy,)>,
    durations: Histograms<(Route,)>,
    steps: Histograms<(Step,)>,
    stripe_events: Counters<(StripeType, StripeOutcome)>,
    plans: ArcSwap<Vec<Arc<PlanPictures>>>,
    anonymous: IntCounter,
    store: StoreMetrics,
    tokens: TokenMetrics,
}

impl Metrics {
    /// The metrics, all registered. Fails only if two had the same name.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        registry.register(Box::new(ProcessMetrics::new()?))?;
        let table = Table::register(&registry)?;
        let each = |label: Route| (label,);
        for (field, rule) in possible::complaints() {
            table.complaints.with_label_values(&[field, rule]);
        }
        let store = StoreSeries {
            operations: Counters::of(&table.store_operations).with(possible::store_operations()),
            durations: Histograms::of(&table.store_durations)
                .with(possible::store_operations().map(|(verb, _)| (verb,))),
            batches: table.store_batches.clone(),
        };
        let tokens = Counters::of(&table.user_tokens);
        let anonymous = [ANONYMOUS, PoolLabel(None).as_str(), CallerKind::Anonymous.as_str()];
        Ok(Self {
            requests: Counters::of(&table.requests).with(possible::requests()),
            outcomes: Counters::of(&table.outcomes).with(possible::outcomes()),
            rejections: Counters::of(&table.rejections).with(RejectedBy::ALL.iter().map(|by| (*by,))),
            durations: Histograms::of(&table.durations).with(Route::ALL.iter().copied().map(each)),
            steps: Histograms::of(&table.steps).with(Step::ALL.iter().map(|step| (*step,))),
            stripe_events: Counters::of(&table.stripe_events).with(possible::stripe_events()),
            plans: ArcSwap::default(),
            anonymous: table.pictures.with_label_values(&anonymous),
            store: StoreMetrics(Arc::new(store)),
            tokens: TokenMetrics(Arc::new(tokens.with(TokenResult::ALL.iter().map(|is| (*is,))))),
            pledges: OpenPledges::default(),
            sources: Mutex::default(),
            table,
            registry,
        })
    }

    /// Makes the series of a configured plan. One that is known already goes on, and so does one that a reload removes.
    pub fn add_plan(&self, plan: &str) {
        if self.plans.load().iter().any(|known| known.plan == plan) {
            return;
        }
        let counter = |pool: Pool, caller: CallerKind| {
            self.table.pictures.with_label_values(&[plan, pool.as_str(), caller.as_str()])
        };
        let of_pool = |pool| [counter(pool, CallerKind::Api), counter(pool, CallerKind::App)];
        let ([a, b], [c, d]) = (of_pool(Pool::Included), of_pool(Pool::Prepaid));
        let added = Arc::new(PlanPictures { plan: plan.to_owned(), counters: [a, b, c, d] });
        self.plans.rcu(|plans| plans.iter().cloned().chain([Arc::clone(&added)]).collect::<Vec<_>>());
    }

    /// Takes a finished request's record: counts it and writes its log line.
    pub fn finish(&self, record: &Record) {
        let elapsed = record.started.elapsed();
        let class = match (&record.outcome, record.status) {
            (Outcome::Abandoned, _) => StatusClass::Abandoned,
            (_, Some(status)) => StatusClass::of(status),
            (_, None) => StatusClass::OurFault,
        };
        self.requests.at((record.route, class, record.caller)).inc();
        self.outcomes.at((record.route, OutcomeName::named(record.outcome.as_str()))).inc();
        self.durations.at((record.route,)).observe(elapsed.as_secs_f64());
        for (step, took) in &record.steps {
            self.steps.at((*step,)).observe(took.as_secs_f64());
        }
        if record.outcome == Outcome::Served && record.route.serves_pictures() {
            self.count_picture(record, elapsed);
        }
        for event in &record.events {
            self.count_event(event);
        }
        if let Some(by) = record.rejected_by {
            self.rejections.at((by,)).inc();
        }
        if record.image_bytes > 0 {
            #[expect(clippy::cast_precision_loss, reason = "sizes stay far below 2^52")]
            self.table.image_size.observe(record.image_bytes as f64);
        }
        if let Outcome::Refused(refusal) = &record.outcome {
            self.count_complaints(refusal);
        }
        line::write(record, elapsed);
    }

    fn count_picture(&self, record: &Record, elapsed: Duration) {
        let notes = record.backend.notes();
        let elsewhere = record.awaited + notes.queue.unwrap_or_default() + notes.working.unwrap_or_default();
        self.table.overhead.observe(elapsed.saturating_sub(elsewhere).as_secs_f64());
        let (Some(pool), Some(plan)) = (record.spent, &record.plan) else { return self.anonymous.inc() };
        let of_plan = |plans: &[Arc<PlanPictures>]| {
            let known = plans.iter().find(|known| known.plan == *plan)?;
            let number = 2 * usize::from(pool == Pool::Prepaid) + usize::from(record.caller == CallerKind::App);
            known.counters.get(number).map(IntCounter::inc)
        };
        if of_plan(&self.plans.load()).is_none() {
            self.add_plan(plan);
            let _ = of_plan(&self.plans.load());
        }
    }

    fn count_event(&self, event: &StripeEvent) {
        self.stripe_events.at((event.kind, event.outcome)).inc();
        if let Some(lag) = event.lag {
            self.table.stripe_lag.observe(lag.as_secs_f64());
        }
    }

    fn count_complaints(&self, refusal: &Refusal) {
        let count = |field: &str, rule: &str| self.table.complaints.with_label_values(&[field, rule]).inc();
        if let Refusal::Invalid(all) = refusal {
            for one in all {
                count(one.field(), one.rule());
            }
        } else if let Refusal::Order(all) = refusal {
            for one in all {
                count(one.field(), one.rule());
            }
        } else if matches!(refusal, Refusal::TooManyPixels { .. }) {
            count("image", "too_many_pixels");
        }
    }

    /// Counts a request that begins (1) or ends (-1).
    pub fn in_flight(&self, change: i32) {
        self.table.in_flight.add(change.into());
    }

    /// The series of a service of the backend. Its name is from the configuration.
    #[must_use]
    pub fn of_backend(&self, name: &str) -> BackendMetrics {
        let responses = BackendClass::ALL
            .iter()
            .map(|class| self.table.backend_responses.with_label_values(&[name, class.as_str()]));
        BackendMetrics {
            durations: self.table.backend_durations.with_label_values(&[name]),
            responses: responses.collect(),
            retries: self.table.backend_retries.with_label_values(&[name]),
            ejections: self.table.backend_ejections.with_label_values(&[name]),
        }
    }

    /// What observes the waits in the queue.
    #[must_use]
    pub fn queue(&self) -> QueueMetrics {
        QueueMetrics(self.table.queue_wait.clone())
    }

    /// The series of the store.
    #[must_use]
    pub fn store(&self) -> StoreMetrics {
        self.store.clone()
    }

    /// The series of user tokens.
    #[must_use]
    pub fn tokens(&self) -> TokenMetrics {
        self.tokens.clone()
    }

    /// The series of callers' connections, of which there may be so many.
    #[must_use]
    pub fn connections(&self, limit: usize) -> ConnectionMetrics {
        #[expect(clippy::cast_precision_loss, reason = "there are few connections")]
        self.table.connections_limit.set(limit as f64);
        ConnectionMetrics {
            open: self.table.connections.clone(),
            rejected: self.rejections.at((RejectedBy::Connections,)).clone(),
            received: ByteCounter(self.table.received_bytes.clone()),
            sent: ByteCounter(self.table.sent_bytes.clone()),
        }
    }

    /// The operations of this process that are not settled yet.
    #[must_use]
    pub fn pledges(&self) -> OpenPledges {
        self.pledges.clone()
    }

    /// Has this look at its part at every scrape.
    pub fn at_scrape(&self, source: impl Fn(&Self) + Send + Sync + 'static) {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::new(source));
    }
}

#[cfg(test)]
mod tests;
