//! The log line of a finished request. docs/logs.md lists its fields.

#[cfg(test)]
mod tests;

use super::{
    flood,
    label::{Route, Step},
    log,
    record::{Outcome, Record},
};
use std::time::Duration;
use tracing::Level;

/// Writes the event at a level, which has to be known when this is compiled.
macro_rules! write_at {
    ($level:expr, $line:expr) => {{
        let RequestLine { took, steps, backend, .. } = &$line;
        tracing::event!(
            $level,
            route = $line.record.route.as_str(),
            status = $line.record.status,
            outcome = $line.outcome,
            code = $line.code,
            ms = milliseconds(*took),
            caller = $line.record.caller.as_str(),
            uid = $line.record.uid.as_ref().map(|uid| uid.as_str()),
            key_id = $line.record.key.as_ref().map(|id| id.0.as_str()),
            client = $line.record.client.and_then(log::shown_client),
            pool = $line.record.spent.map(|pool| pool.as_str()),
            caller_ms = steps.of(Step::Caller),
            admit_ms = steps.of(Step::Admit),
            form_ms = steps.of(Step::Form),
            wait_ms = Some($line.record.awaited).filter(|awaited| !awaited.is_zero()).map(milliseconds),
            prepare_ms = steps.of(Step::Prepare),
            queue_ms = backend.queue.map(milliseconds),
            backend_ms = backend.working.map(milliseconds),
            send_ms = $line.send.map(milliseconds),
            finish_ms = steps.of(Step::Finish),
            settle_ms = steps.of(Step::Settle),
            backend = backend.service.as_deref(),
            tries = Some(backend.tries).filter(|tries| *tries > 0),
            bytes_in = $line.record.received,
            bytes_out = $line.record.bytes_out,
            events = $line.events,
            cause = $line.record.cause,
            request_id = $line.record.request_id.as_str(),
            trace_id = $line.record.trace.map(|trace| trace.id()),
            "request"
        )
    }};
}

/// Everything about a request that is logged. It is made only if the line will be written.
struct RequestLine<'a> {
    record: &'a Record,
    outcome: &'static str,
    code: Option<&'static str>,
    took: Duration,
    steps: Steps<'a>,
    backend: super::BackendNotes,
    /// The rest of the send step: what is neither waiting nor the service's work.
    send: Option<Duration>,
    events: Option<String>,
}

/// How long each step took.
struct Steps<'a>(&'a [(Step, Duration)]);

impl Steps<'_> {
    fn took(&self, wanted: Step) -> Option<Duration> {
        self.0.iter().filter(|(step, _)| *step == wanted).map(|(_, took)| *took).reduce(|sum, took| sum + took)
    }

    fn of(&self, wanted: Step) -> Option<f64> {
        self.took(wanted).map(milliseconds)
    }
}

/// Writes the line of a request that took so long, unless its level is off or there are too many of its kind.
pub(super) fn write(record: &Record, took: Duration) {
    let level = level_of(record);
    let is_written = match flood_of(&record.outcome) {
        Some(cause) => flood::may_write(cause, level),
        None => flood::is_on(level),
    };
    if !is_written {
        return;
    }
    let line = RequestLine::of(record, took);
    match level {
        Level::ERROR => write_at!(Level::ERROR, line),
        Level::WARN => write_at!(Level::WARN, line),
        Level::INFO => write_at!(Level::INFO, line),
        _ => write_at!(Level::DEBUG, line),
    }
}

/// ERROR for a mistake of this program, WARN for our other failures, DEBUG for pages that were served, INFO for the rest.
fn level_of(record: &Record) -> Level {
    match (&record.outcome, record.route) {
        (Outcome::Refused(refusal), _) if refusal.is_internal() => Level::ERROR,
        (Outcome::Refused(refusal), _) if refusal.is_our_fault() => Level::WARN,
        (Outcome::Served, Route::Pages) => Level::DEBUG,
        (Outcome::Refused(_) | Outcome::Served | Outcome::BackendRefused | Outcome::Abandoned, _) => Level::INFO,
    }
}

/// The name under which lines like this one are counted. A request that was served always has its line.
fn flood_of(outcome: &Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Served => None,
        Outcome::Refused(refusal) => Some(refusal.reason()),
        Outcome::BackendRefused | Outcome::Abandoned => Some(outcome.as_str()),
    }
}

impl<'a> RequestLine<'a> {
    fn of(record: &'a Record, took: Duration) -> Self {
        let (outcome, code) = match &record.outcome {
            Outcome::Refused(refusal) if refusal.is_our_fault() => ("failed", Some(refusal.reason())),
            Outcome::Refused(refusal) => ("refused", Some(refusal.reason())),
            other @ (Outcome::Served | Outcome::BackendRefused | Outcome::Abandoned) => (other.as_str(), None),
        };
        let (steps, backend) = (Steps(&record.steps), record.backend.notes());
        let elsewhere = backend.queue.unwrap_or_default() + backend.working.unwrap_or_default();
        let send = steps.took(Step::Send).map(|send| send.saturating_sub(elsewhere));
        let names: Vec<&str> = record.events.iter().map(|event| event.outcome.as_str()).collect();
        let events = (!names.is_empty()).then(|| names.join(","));
        Self { record, outcome, code, took, steps, backend, send, events }
    }
}

/// Milliseconds, to a hundredth of one.
#[must_use]
pub fn milliseconds(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e5).round() / 1e2
}
