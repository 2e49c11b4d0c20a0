use super::*;
use crate::{
    domain::{
        refusal::{Refusal, Shortage},
        trace::Trace,
    },
    telemetry::CallerKind,
};
use std::{
    collections::BTreeSet,
    fs, mem,
    num::{NonZeroU64, NonZeroU128},
    sync::{Arc, Mutex},
};
use tracing::{Event, Subscriber, subscriber::with_default};
use tracing_subscriber::{
    Layer,
    filter::LevelFilter,
    layer::{Context, SubscriberExt as _},
};

/// Level and field names of each event.
type Captured = Arc<Mutex<Vec<(Level, BTreeSet<&'static str>)>>>;

struct Capture(Captured);

impl<S: Subscriber> Layer<S> for Capture {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let names = event.metadata().fields().iter().map(|field| field.name());
        self.0.lock().unwrap().push((*event.metadata().level(), names.collect()));
    }
}

/// The events of a record's line.
fn events(from: LevelFilter, record: &Record) -> Vec<(Level, BTreeSet<&'static str>)> {
    let seen = Captured::default();
    let subscriber = tracing_subscriber::registry().with(from).with(Capture(Arc::clone(&seen)));
    with_default(subscriber, || write(record, Duration::from_millis(5)));
    mem::take(&mut *seen.lock().unwrap())
}

fn record(route: Route, outcome: Outcome) -> Record {
    Record { outcome, ..Record::begin("an-id".into(), route) }
}

fn unavailable() -> Outcome {
    let retry_after = Duration::from_secs(1);
    Outcome::Refused(Refusal::Unavailable { shortage: Shortage::NoRoom, retry_after })
}

#[test]
fn a_level_says_who_has_to_act() {
    for (route, outcome, level) in [
        (Route::Rmbg, Outcome::Served, Level::INFO),
        (Route::Rmbg, Outcome::BackendRefused, Level::INFO),
        (Route::Rmbg, Outcome::Abandoned, Level::INFO),
        (Route::Rmbg, Outcome::Refused(Refusal::InvalidKey), Level::INFO),
        (Route::Pages, Outcome::Refused(Refusal::TooFast { retry_after: Duration::ZERO }), Level::INFO),
        (Route::Pages, Outcome::Served, Level::DEBUG),
        (Route::Rmbg, unavailable(), Level::WARN),
        (Route::Rmbg, Outcome::Refused(Refusal::BackendFailed), Level::WARN),
        (Route::Rmbg, Outcome::Refused(Refusal::TimedOut), Level::WARN),
        (Route::Pages, Outcome::Refused(Refusal::Internal), Level::ERROR),
    ] {
        let record = record(route, outcome);
        let levels: Vec<Level> = events(LevelFilter::TRACE, &record).into_iter().map(|(level, _)| level).collect();
        assert_eq!(levels, [level], "{:?}", record.outcome);
    }
}

#[test]
fn of_a_level_that_is_off_nothing_is_made_or_counted() {
    let refused = record(Route::Rmbg, Outcome::Refused(Refusal::EmailNotVerified));
    let before = flood::left_out();
    for _ in 0..100 {
        assert!(events(LevelFilter::WARN, &refused).is_empty());
    }
    assert_eq!(events(LevelFilter::INFO, &refused).len(), 1, "the lines that nobody wanted do not count");
    assert_eq!(flood::left_out(), before);
}

#[test]
fn every_field_stands_in_the_documents_and_no_other() {
    let documents = fs::read_to_string("docs/logs.md").unwrap();
    let table = documents.split("## A request's line").nth(1).unwrap().split("\n## ").next().unwrap();
    let listed: BTreeSet<&str> = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let (_, mut fields) = events(LevelFilter::TRACE, &record(Route::Rmbg, Outcome::Served)).remove(0);
    fields.extend(["timestamp", "level"]);
    assert_eq!(listed, fields);
}

#[test]
fn what_is_not_known_is_left_out_and_steps_add_up() {
    let mut record = record(Route::Rmbg, Outcome::Served);
    record.caller = CallerKind::Api;
    record.trace = Some(Trace::begin(NonZeroU128::MIN, NonZeroU64::MIN));
    record.steps = vec![(Step::Caller, Duration::from_micros(1_234)), (Step::Send, Duration::from_millis(50))];
    drop(record.backend.asking("a"));
    let line = RequestLine::of(&record, Duration::from_millis(60));
    assert_eq!((line.outcome, line.code, line.steps.of(Step::Caller)), ("served", None, Some(1.23)));
    assert_eq!(line.steps.of(Step::Settle), None);
    assert!(line.backend.queue.is_none() && line.backend.working.is_some());
    assert_eq!(line.send.unwrap() + line.backend.working.unwrap(), Duration::from_millis(50));
    let record = self::record(Route::Rmbg, unavailable());
    let line = RequestLine::of(&record, Duration::ZERO);
    assert_eq!((line.outcome, line.code, line.send), ("failed", Some("no_room"), None));
}
