//! What is only known at a scrape, and the text that Prometheus reads.

use super::{
    entry::set_later,
    flood,
    gauges::{BackendGauges, IssuerGauges, ProcessGauges, StoreGauges},
    label::BudgetKind,
    metrics::Metrics,
    panics,
    pledges::PledgeGauges,
};
use crate::{
    domain::{
        readiness::{Readiness, Warning},
        time::UnixSeconds,
    },
    spool::Budgets,
};
use prometheus::{IntCounter, TextEncoder};
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

impl Metrics {
    /// Notes what is running: the version, the store's kind and the backend's.
    pub fn runs(&self, version: &str, store: &str, backend: &str) {
        self.table.build_info.with_label_values(&[version, store, backend]).set(1.0);
    }

    /// Notes whether nobody but the gateways uses our account at the backend.
    pub fn account_is_exclusive(&self, exclusive: bool) {
        self.table.account_exclusive.set(flag(exclusive));
    }

    /// Notes how long a hold lasts.
    pub fn holds_last(&self, lease: Duration) {
        self.table.pledges_age_limit.set(lease.as_secs_f64());
    }

    /// Takes the state of the backend for the next [`render`](Self::render).
    pub fn see_backend(&self, gauges: &BackendGauges) {
        let table = &self.table;
        table.queue_length.set(number(gauges.waiting));
        table.queue_limit.set(number(gauges.waiting_limit));
        for service in &gauges.services {
            let name = [service.name.as_str()];
            table.backend_in_flight.with_label_values(&name).set(number(service.in_flight));
            table.backend_in_flight_limit.with_label_values(&name).set(number(service.in_flight_limit));
            table.backend_up.with_label_values(&name).set(flag(service.up));
        }
        table.backend_keys.set(number(gauges.keys.configured));
        table.backend_keys_resting.set(number(gauges.keys.resting));
        raise(&table.backend_pictures, gauges.pictures);
        if let Some(account) = gauges.account {
            set_later(&table.account_remaining, number(account.remaining));
            set_later(&table.account_used, number(account.used));
            #[expect(clippy::cast_precision_loss, reason = "counts of pictures stay far below 2^52")]
            set_later(&table.account_drift, account.drift as f64);
        }
    }

    /// Takes the state of the store for the next [`render`](Self::render).
    pub fn see_store(&self, gauges: &StoreGauges) {
        let table = &self.table;
        table.journal_entries.set(number(gauges.journal_waiting));
        table.journal_limit.set(number(gauges.journal_limit));
        table.journal_oldest_age.set(gauges.journal_oldest.unwrap_or_default().as_secs_f64());
        table.journal_full.set(flag(gauges.journal_full));
        table.breaker_open.set(flag(gauges.breaker_open));
        raise(&table.journal_replays, gauges.replays);
        raise(&table.store_outages, gauges.outages);
        raise(&table.keeps_late, gauges.late);
        raise(&table.keeps_set_aside, gauges.quarantined);
    }

    /// Takes the ages of issuers' keys for the next [`render`](Self::render).
    pub fn see_issuers(&self, issuers: &[IssuerGauges]) {
        for issuer in issuers {
            if let Some(age) = issuer.age {
                self.table.jwks_age.with_label_values(&[issuer.issuer.as_str()]).set(age.as_secs_f64());
            }
        }
    }

    /// Takes what `/readyz` says.
    pub fn see_readiness(&self, readiness: &Readiness) {
        self.table.ready.set(flag(readiness.is_ready()));
        for warning in Warning::ALL {
            let is_told = readiness.warnings.contains(&warning);
            self.table.warnings.with_label_values(&[warning.code()]).set(flag(is_told));
        }
    }

    /// Takes the state of the process for the next [`render`](Self::render).
    pub fn see_process(&self, gauges: &ProcessGauges) {
        let table = &self.table;
        table.reload_successful.set(flag(gauges.last_reload_successful));
        table.reload_time.set(moment(gauges.last_reload_success));
        if let Some(certificate) = &gauges.certificate {
            set_later(&table.certificate_not_before, moment(certificate.not_before));
            set_later(&table.certificate_not_after, moment(certificate.not_after));
        }
    }

    /// An event came that Stripe has signed.
    pub fn heard_of_stripe(&self, now: UnixSeconds) {
        set_later(&self.table.stripe_last_event, moment(now));
    }

    /// So many events of Stripe are parked.
    pub fn parked(&self, events: usize) {
        set_later(&self.table.stripe_parked, number(events as u64));
    }

    /// The metrics in Prometheus's text format. `holds_open` is the store's answer, `None` if it had none.
    pub fn render(&self, holds_open: Option<u64>, budgets: &Budgets) -> prometheus::Result<String> {
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for source in &sources {
            source(self);
        }
        raise(&self.table.panics, panics::total());
        raise(&self.table.log_lines_left_out, flood::left_out());
        self.table.store_up.set(flag(holds_open.is_some()));
        self.table.credits_held.set(number(holds_open.unwrap_or(0)));
        let PledgeGauges { open, oldest, owed } = self.pledges.gauges();
        self.table.pledges_open.set(number(open));
        self.table.pledges_oldest_age.set(oldest.as_secs_f64());
        self.table.releases_owed.set(number(owed));
        let Budgets { memory, disk, pixels } = budgets;
        for (kind, used, most) in [
            (BudgetKind::Memory, memory.used(), memory.most()),
            (BudgetKind::Disk, disk.used(), disk.most()),
            (BudgetKind::Pixels, pixels.used(), pixels.most()),
        ] {
            self.table.budget_used.with_label_values(&[kind.as_str()]).set(number(used));
            self.table.budget_limit.with_label_values(&[kind.as_str()]).set(number(most));
        }
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// Raises a counter to a total that something else has counted.
fn raise(counter: &IntCounter, total: u64) {
    // Two scrapes at once must not both add the difference.
    static RAISING: Mutex<()> = Mutex::new(());
    let _raising = RAISING.lock().unwrap_or_else(PoisonError::into_inner);
    counter.inc_by(total.saturating_sub(counter.get()));
}

fn flag(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

#[expect(clippy::cast_precision_loss, reason = "what is counted stays far below 2^52")]
fn number(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "seconds stay far below 2^52")]
fn moment(at: UnixSeconds) -> f64 {
    at.0 as f64
}
