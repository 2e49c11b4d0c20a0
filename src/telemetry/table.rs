//! The table of every metric. What stands above a metric is its help, and `docs/metrics.md` is made from this.
//!
//! Labels come from closed sets: no account, key, address or path. A metric has three at most.

use super::{
    entry::{Entry, LabelOf, LaterGauge, Metric, metrics},
    label::{
        BackendClass, BudgetKind, CallerKind, OutcomeName, PoolLabel, RejectedBy, Route, StatusClass, Step,
        StoreResult, StoreVerb, StripeOutcome, StripeType, TokenResult,
    },
};
use crate::domain::readiness::Warning;
use prometheus::{Gauge, GaugeVec, Histogram, HistogramVec, IntCounter, IntCounterVec, Registry, Result};

/// Seconds. 25 ms is the objective of the gateway's own time.
const TIMES: &[f64] =
    &[0.000_05, 0.000_2, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0];

/// Seconds of what happens in this process or close to it.
const SHORT_TIMES: &[f64] =
    &[0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 10.0];

/// Seconds from an event of Stripe to its effect: a parked one may wait for days.
const LAGS: &[f64] = &[1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 21_600.0, 86_400.0, 259_200.0];

/// Bytes of a picture.
const SIZES: &[f64] = &[16e3, 64e3, 256e3, 1e6, 4e6, 16e6, 52_428_800.0];

/// Operations in one call or commit.
const BATCHES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

const ROUTE: LabelOf = LabelOf::closed::<Route>("route");
const STATUS_CLASS: LabelOf = LabelOf::closed::<StatusClass>("status_class");
const CALLER: LabelOf = LabelOf::closed::<CallerKind>("caller");
const BACKEND: LabelOf =
    LabelOf::configured("backend", "the addresses in `backend.urls`, without user info and query; or `builtin`");
const KIND: LabelOf = LabelOf::closed::<BudgetKind>("kind");
const VERB: LabelOf = LabelOf::closed::<StoreVerb>("verb");

metrics! {
    "Requests" {
        /// Requests that were answered or abandoned, by route, class of the status that the caller got, and kind of caller.
        requests: IntCounterVec = "rgw_requests_total" [ROUTE, STATUS_CLASS, CALLER];
        /// The same requests by what became of them: the codes of refusals, and what is no refusal.
        outcomes: IntCounterVec = "rgw_outcomes_total" [ROUTE, LabelOf::closed::<OutcomeName>("outcome")];
        /// Pictures that were answered and charged. Those of anonymous callers have the plan `anonymous` and the pool `daily`.
        pictures: IntCounterVec = "rgw_pictures_total" [
            LabelOf::configured("plan", "the plans in `[plans]`, those that a reload has removed too; and `anonymous`"),
            LabelOf::closed::<PoolLabel>("pool"),
            CALLER
        ];
        /// Requests answered 429 before the store was asked, and connections closed unread, by the check that rejected them.
        rejections: IntCounterVec = "rgw_rejections_total" [LabelOf::closed::<RejectedBy>("by")];
        /// Time from the head of a request to the head of its answer.
        durations: HistogramVec = "rgw_request_duration_seconds" [ROUTE] in TIMES;
        /// The gateway's own time for a picture that was answered: all of it without the waits for the caller's bytes, in the queue and for the backend.
        overhead: Histogram = "rgw_overhead_seconds" [] in SHORT_TIMES;
        /// Time spent in each step of a picture's journey.
        steps: HistogramVec = "rgw_step_duration_seconds" [LabelOf::closed::<Step>("step")] in TIMES;
        /// Time in the queue for the backend, of requests that got a place in it.
        queue_wait: Histogram = "rgw_queue_wait_seconds" [] in TIMES;
        /// Faults in forms and queries, by field and broken rule. One request may have several.
        complaints: IntCounterVec = "rgw_form_complaints_total" [
            LabelOf::configured("field", "the fields and parameters that can be wrong"),
            LabelOf::configured("rule", "what can be wrong with them")
        ];
        /// Bytes of bodies that were received from callers.
        received_bytes: IntCounter = "rgw_received_bytes_total" [];
        /// Bytes of bodies that were sent to callers.
        sent_bytes: IntCounter = "rgw_sent_bytes_total" [];
        /// Size of the pictures in requests whose form was good.
        image_size: Histogram = "rgw_image_size_bytes" [] in SIZES;
        /// Requests whose answers are not completely sent yet.
        in_flight: Gauge = "rgw_requests_in_flight" [];
        /// Connections of callers that are open now.
        connections: Gauge = "rgw_connections" [];
        /// The most connections of callers at once. More wait in the kernel's queue.
        connections_limit: Gauge = "rgw_connections_limit" [];
    }
    "Queue" {
        /// Requests in the queue for the backend.
        queue_length: Gauge = "rgw_queue_length" [];
        /// The most requests that may be in the queue.
        queue_limit: Gauge = "rgw_queue_limit" [];
    }
    "Backend" {
        /// 1 if the service is given pictures.
        backend_up: GaugeVec = "rgw_backend_up" [BACKEND];
        /// Pictures that the service works on.
        backend_in_flight: GaugeVec = "rgw_backend_in_flight" [BACKEND];
        /// The most pictures that the service is given at once, while it is up.
        backend_in_flight_limit: GaugeVec = "rgw_backend_in_flight_limit" [BACKEND];
        /// Time of one try at the service, from the request to its whole answer.
        backend_durations: HistogramVec = "rgw_backend_duration_seconds" [BACKEND] in TIMES;
        /// Tries at the service by the class of its answer's status. `none` is a try without a whole answer.
        backend_responses: IntCounterVec = "rgw_backend_responses_total" [
            BACKEND,
            LabelOf::closed::<BackendClass>("status_class")
        ];
        /// Requests that another service was asked for after this one had not answered.
        backend_retries: IntCounterVec = "rgw_backend_retries_total" [BACKEND];
        /// How often the service was ejected: it gets no pictures until it answers a health check.
        backend_ejections: IntCounterVec = "rgw_backend_ejections_total" [BACKEND];
        /// Our keys for the backend.
        backend_keys: Gauge = "rgw_backend_keys" [];
        /// Our keys for the backend that rest, because it has refused them.
        backend_keys_resting: Gauge = "rgw_backend_keys_resting" [];
        /// Credits left on our account at the backend, as it last reported. Absent until it has.
        account_remaining: LaterGauge = "rgw_backend_account_remaining_credits" [];
        /// Credits that our account at the backend has lost since this process first asked. Absent until the backend has reported.
        account_used: LaterGauge = "rgw_backend_account_used_credits" [];
        /// Credits that our account has lost beyond the pictures that this process was answered, since it first asked. Absent until the backend has reported.
        account_drift: LaterGauge = "rgw_backend_account_drift_credits" [];
        /// 1 if nobody but the gateways uses our account, by `backend.reconcile.exclusive`.
        account_exclusive: Gauge = "rgw_backend_account_exclusive" [];
        /// Pictures that the services at `backend.urls` have answered.
        backend_pictures: IntCounter = "rgw_backend_pictures_total" [];
    }
    "Store" {
        /// 1 if the store answered this scrape.
        store_up: Gauge = "rgw_store_up" [];
        /// What the store was asked for, and how that ended. What the journal takes over is `unavailable` here.
        store_operations: IntCounterVec = "rgw_store_operations_total" [
            VERB,
            LabelOf::closed::<StoreResult>("result")
        ];
        /// Time that the store took for an operation.
        store_durations: HistogramVec = "rgw_store_operation_seconds" [VERB] in SHORT_TIMES;
        /// Operations that went to the store in one call or commit.
        store_batches: Histogram = "rgw_store_batch_operations" [] in BATCHES;
        /// 1 while the store is known to be away, so that it is not asked.
        breaker_open: Gauge = "rgw_store_breaker_open" [];
        /// How often the store became unavailable.
        store_outages: IntCounter = "rgw_store_outages_total" [];
        /// Keeps that the store took after their lease had ended: counted, and possibly beyond a limit.
        keeps_late: IntCounter = "rgw_keeps_late_total" [];
        /// Keeps that were set aside for a person to look at, because no store may take them any more.
        keeps_set_aside: IntCounter = "rgw_keeps_set_aside_total" [];
        /// Credits held for requests in flight. Redis: those of this gateway; a file: all of them.
        credits_held: Gauge = "rgw_credits_held" [];
        /// Operations of this process that are not settled yet.
        pledges_open: Gauge = "rgw_pledges_open" [];
        /// The age of the oldest operation of this process that is not settled yet; 0 if there is none.
        pledges_oldest_age: Gauge = "rgw_pledges_oldest_age_seconds" [];
        /// The longest that a request can take, after which its hold ends by itself: an older open operation is a mistake.
        pledges_age_limit: Gauge = "rgw_pledges_age_limit_seconds" [];
        /// Releases that the store has not acknowledged. This process repeats them until their leases end.
        releases_owed: Gauge = "rgw_releases_owed" [];
        /// Keeps in the journal on this machine's disk that the store has not acknowledged.
        journal_entries: Gauge = "rgw_journal_entries" [];
        /// About how many keeps the journal holds before it is full; 0 without a journal.
        journal_limit: Gauge = "rgw_journal_entries_limit" [];
        /// The age of the oldest keep in the journal that the store has not acknowledged; 0 if there is none.
        journal_oldest_age: Gauge = "rgw_journal_oldest_age_seconds" [];
        /// 1 if the journal is full, so that no request is admitted.
        journal_full: Gauge = "rgw_journal_full" [];
        /// How often the last writes were replayed since the start, because the store may have lost them.
        journal_replays: IntCounter = "rgw_journal_replays_total" [];
    }
    "Memory" {
        /// Bytes held for bodies and for pictures that are finished here.
        budget_used: GaugeVec = "rgw_body_budget_used_bytes" [KIND];
        /// The most of these bytes.
        budget_limit: GaugeVec = "rgw_body_budget_limit_bytes" [KIND];
    }
    "Identity" {
        /// User tokens that were checked, by what was found.
        user_tokens: IntCounterVec = "rgw_user_tokens_total" [LabelOf::closed::<TokenResult>("result")];
        /// Time since an issuer's keys were last read with success. Absent until then, and for a shared secret.
        jwks_age: GaugeVec = "rgw_jwks_age_seconds" [
            LabelOf::configured("issuer", "the issuers in `auth.user_token`")
        ];
    }
    "Stripe" {
        /// Events from Stripe, by what they are about and what became of them. A parked event counts again when it is applied.
        stripe_events: IntCounterVec = "rgw_stripe_events_total" [
            LabelOf::closed::<StripeType>("type"),
            LabelOf::closed::<StripeOutcome>("outcome")
        ];
        /// Events that wait for their account, their price or a person, as last counted. Absent until then.
        stripe_parked: LaterGauge = "rgw_stripe_events_parked" [];
        /// Time from the making of an event to its application, by Stripe's clock and ours.
        stripe_lag: Histogram = "rgw_stripe_event_lag_seconds" [] in LAGS;
        /// When the last event came that Stripe had signed. Absent until then.
        stripe_last_event: LaterGauge = "rgw_stripe_last_event_timestamp_seconds" [];
    }
    "TLS, configuration, process" {
        /// When the certificate in use begins to be valid. Absent without TLS.
        certificate_not_before: LaterGauge = "rgw_certificate_not_before_timestamp_seconds" [];
        /// When the certificate in use ends. Absent without TLS.
        certificate_not_after: LaterGauge = "rgw_certificate_not_after_timestamp_seconds" [];
        /// 1 if the last reload of the configuration, or the start, was successful.
        reload_successful: Gauge = "rgw_config_last_reload_successful" [];
        /// When the configuration in use was read.
        reload_time: Gauge = "rgw_config_last_reload_success_timestamp_seconds" [];
        /// 1 if `/readyz` says that the gateway is ready.
        ready: Gauge = "rgw_ready" [];
        /// 1 if `/readyz` warns of this.
        warnings: GaugeVec = "rgw_warnings" [LabelOf::closed::<Warning>("code")];
        /// 1, with what is running.
        build_info: GaugeVec = "rgw_build_info" [
            LabelOf::configured("version", "of this gateway"),
            LabelOf::configured("store", "`sqlite` or `redis`"),
            LabelOf::configured("backend", "`backend.kind`")
        ];
        /// Panics, which are mistakes of this program; the log says where.
        panics: IntCounter = "rgw_panics_total" [];
        /// Lines that the log left out, because there were too many of one kind.
        log_lines_left_out: IntCounter = "rgw_log_lines_left_out_total" [];
    }
}
