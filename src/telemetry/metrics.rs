//! Metrics for Prometheus. Labels only from closed sets: no account, key, address or path.

use super::{
    gauges::{BackendGauges, StoreGauges},
    panics,
    record::{Outcome, Record, RejectedBy},
};
use crate::{domain::refusal::Refusal, spool::Budgets};
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder, core::Collector, process_collector::ProcessCollector,
};
use tracing::{error, info, warn};

/// Every metric of the process.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    steps: HistogramVec,
    credits: IntCounterVec,
    stripe_events: IntCounterVec,
    rejected_by: IntCounterVec,
    in_flight: IntGauge,
    uploaded: Histogram,
    panics: IntCounter,
    holds_open: IntGauge,
    store_up: IntGauge,
    journal_waiting: IntGauge,
    journal_full: IntGauge,
    store_events: IntCounterVec,
    budget_used: IntGaugeVec,
    budget_limit: IntGaugeVec,
    backend_waiting: IntGauge,
    backend_in_flight: IntGaugeVec,
    backend_up: IntGaugeVec,
    shared_remaining: IntGaugeVec,
    shared_drift: IntGaugeVec,
}

impl Metrics {
    /// The metrics, all registered. Fails only if two had the same name.
    pub fn new() -> prometheus::Result<Self> {
        let our = Ours::with_process()?;
        Ok(Self {
            requests: our.counters(
                "rgw_requests_total",
                "Requests answered, by endpoint, kind of caller and outcome.",
                &["route", "channel", "outcome"],
            )?,
            durations: our.seconds(
                "rgw_request_duration_seconds",
                "Time from the head of a request to the head of its answer.",
                "route",
            )?,
            steps: our.seconds("rgw_step_duration_seconds", "Time spent in each step of POST /rmbg.", "step")?,
            credits: our.counters(
                "rgw_credits_spent_total",
                "Credits spent, by pool (source) and kind of caller (channel).",
                &["source", "channel"],
            )?,
            stripe_events: our.counters(
                "rgw_stripe_events_total",
                "Events from Stripe, by outcome. A duplicate says nothing new. A parked event counts again when it is applied.",
                &["outcome"],
            )?,
            rejected_by: our.counters(
                "rgw_rejected_total",
                "Requests answered 429 before the store was asked, and connections closed unread, by the check that rejected them.",
                &["by"],
            )?,
            in_flight: our.gauge("rgw_requests_in_flight", "Requests whose answers are not completely sent yet.")?,
            uploaded: our.sizes("rgw_image_size_bytes", "Size of uploaded images.")?,
            panics: our.counter("rgw_panics_total", "Panics, which are mistakes of this program; the log says where.")?,
            holds_open: our.gauge("rgw_holds_open", "Credits held for requests in flight.")?,
            store_up: our.gauge("rgw_store_up", "1 if the store answered this scrape.")?,
            journal_waiting: our.gauge(
                "rgw_journal_waiting",
                "Keeps in the journal on this machine's disk that the store has not acknowledged yet.",
            )?,
            journal_full: our.gauge("rgw_journal_full", "1 if the journal is full, so that no request is admitted.")?,
            store_events: our.counters(
                "rgw_store_events_total",
                "Outages of the store (outage), keeps after their lease (late) or too late to count (quarantined).",
                &["event"],
            )?,
            budget_used: our.gauges("rgw_body_budget_used_bytes", "Bytes of bodies held now.", "kind")?,
            budget_limit: our.gauges("rgw_body_budget_limit_bytes", "Bytes of bodies that may be held.", "kind")?,
            backend_waiting: our.gauge("rgw_backend_waiting", "Requests in the queue for the backend.")?,
            backend_in_flight: our.gauges("rgw_backend_in_flight", "Pictures that each service works on.", "backend")?,
            backend_up: our.gauges("rgw_backend_up", "1 if the service is given pictures.", "backend")?,
            shared_remaining: our.gauges(
                "rgw_backend_account_remaining_credits",
                "Credits left on our account at the backend, as it reports them.",
                "account",
            )?,
            shared_drift: our.gauges(
                "rgw_backend_account_drift_credits",
                "Credits that the backend counted beyond the pictures that it answered, since the gateway started.",
                "account",
            )?,
            registry: our.0,
        })
    }

    /// Takes a finished request's record: counts it and writes its log line.
    pub fn finish(&self, record: &Record) {
        let (route, outcome) = (record.route.as_str(), record.outcome.as_str());
        let channel = record.channel.map_or("none", |channel| channel.as_str());
        let elapsed = record.started.elapsed();
        self.requests.with_label_values(&[route, channel, outcome]).inc();
        self.durations.with_label_values(&[route]).observe(elapsed.as_secs_f64());
        for (step, took) in &record.steps {
            self.steps.with_label_values(&[step.as_str()]).observe(took.as_secs_f64());
        }
        if let Some(pool) = record.spent {
            self.credits.with_label_values(&[pool.as_str(), channel]).inc();
        }
        for outcome in &record.events {
            self.stripe_events.with_label_values(&[outcome]).inc();
        }
        if let Some(by) = record.rejected_by {
            self.reject(by);
        }
        if record.bytes_in > 0 {
            #[expect(clippy::cast_precision_loss, reason = "sizes stay far below 2^52")]
            self.uploaded.observe(record.bytes_in as f64);
        }
        write_line(record, elapsed.as_millis());
    }

    /// Counts a rejected connection. Rejected requests are counted by [`finish`](Self::finish).
    pub fn reject(&self, by: RejectedBy) {
        self.rejected_by.with_label_values(&[by.as_str()]).inc();
    }

    /// Counts a request that begins (1) or ends (-1).
    pub fn in_flight(&self, change: i64) {
        self.in_flight.add(change);
    }

    /// Takes the state of the backend for the next [`render`](Self::render).
    pub fn see_backend(&self, gauges: &BackendGauges) {
        self.backend_waiting.set(clamp(gauges.waiting));
        for service in &gauges.services {
            self.backend_in_flight.with_label_values(&[&service.name]).set(clamp(service.in_flight));
            self.backend_up.with_label_values(&[&service.name]).set(i64::from(service.up));
        }
        if let Some(account) = gauges.account {
            self.shared_remaining.with_label_values(&["shared"]).set(clamp(account.remaining));
            self.shared_drift.with_label_values(&["shared"]).set(account.drift);
        }
    }

    /// Takes the state of the store for the next [`render`](Self::render).
    pub fn see_store(&self, gauges: &StoreGauges) {
        self.journal_waiting.set(clamp(gauges.journal_waiting));
        self.journal_full.set(i64::from(gauges.journal_full));
        let StoreGauges { late, quarantined, outages, .. } = *gauges;
        for (event, total) in [("outage", outages), ("late", late), ("quarantined", quarantined)] {
            let counter = self.store_events.with_label_values(&[event]);
            counter.inc_by(total.saturating_sub(counter.get()));
        }
    }

    /// The metrics in Prometheus's text format. `holds_open` is the store's answer, `None` if it had none.
    pub fn render(&self, holds_open: Option<u64>, budgets: &Budgets) -> prometheus::Result<String> {
        self.panics.inc_by(panics::total().saturating_sub(self.panics.get()));
        self.store_up.set(i64::from(holds_open.is_some()));
        self.holds_open.set(clamp(holds_open.unwrap_or(0)));
        let Budgets { memory, disk, pixels } = budgets;
        for (kind, used, most) in [
            ("memory", memory.used(), memory.most()),
            ("disk", disk.used(), disk.most()),
            ("pixels", pixels.used(), pixels.most()),
        ] {
            self.budget_used.with_label_values(&[kind]).set(clamp(used));
            self.budget_limit.with_label_values(&[kind]).set(clamp(most));
        }
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

fn write_line(record: &Record, ms: u128) {
    let steps: Vec<String> =
        record.steps.iter().map(|(step, took)| format!("{}={}ms", step.as_str(), took.as_millis())).collect();
    let steps = steps.join(" ");
    let line = (
        record.request_id.as_str(),
        record.route.as_str(),
        record.uid.as_ref().map_or("-", |uid| uid.as_str()),
        record.spent.map_or("-", |pool| pool.as_str()),
    );
    let (request, route, uid, credit) = line;
    let (outcome, in_bytes, out_bytes) = (record.outcome.as_str(), record.bytes_in, record.bytes_out);
    let cause = record.cause.as_deref();
    if matches!(&record.outcome, Outcome::Refused(Refusal::Internal)) {
        error!(request, route, uid, outcome, credit, ms, steps, in_bytes, out_bytes, cause, "failed");
    } else if matches!(&record.outcome, Outcome::Refused(refusal) if refusal.is_our_fault()) {
        warn!(request, route, uid, outcome, credit, ms, steps, in_bytes, out_bytes, cause, "refused");
    } else {
        info!(request, route, uid, outcome, credit, ms, steps, in_bytes, out_bytes, cause, "answered");
    }
}

/// A registry that makes metrics and registers them in one go.
struct Ours(Registry);

impl Ours {
    fn with_process() -> prometheus::Result<Self> {
        let registry = Registry::new();
        registry.register(Box::new(ProcessCollector::for_self()))?;
        Ok(Self(registry))
    }

    fn counter(&self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        self.add(IntCounter::new(name, help)?)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
        self.add(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    fn seconds(&self, name: &str, help: &str, label: &str) -> prometheus::Result<HistogramVec> {
        let buckets = vec![0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0];
        self.add(HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets), &[label])?)
    }

    fn sizes(&self, name: &str, help: &str) -> prometheus::Result<Histogram> {
        let buckets = vec![16e3, 64e3, 256e3, 1e6, 4e6, 16e6, 52_428_800.0];
        self.add(Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))?)
    }

    fn gauge(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        self.add(IntGauge::new(name, help)?)
    }

    fn gauges(&self, name: &str, help: &str, label: &str) -> prometheus::Result<IntGaugeVec> {
        self.add(IntGaugeVec::new(Opts::new(name, help), &[label])?)
    }

    fn add<C: Collector + Clone + 'static>(&self, metric: C) -> prometheus::Result<C> {
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }
}

fn clamp(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
