use super::*;
use proptest::prelude::*;

const DAY: i64 = 86_400;
const GRACE: Duration = Duration::from_hours(72);
const FOREVER: Duration = Duration::from_hours(100 * 366 * 24);

fn at(text: &str) -> UnixSeconds {
    let text = if text.contains('T') { format!("{text}Z") } else { format!("{text}T00:00:00Z") };
    UnixSeconds(text.parse::<jiff::Timestamp>().unwrap().as_second())
}

fn every(count: u32, unit: IntervalUnit) -> Interval {
    Interval { unit, count }
}

fn period(start: &str, end: &str, interval: Option<Interval>, anchor: Option<&str>) -> BillingPeriod {
    BillingPeriod { interval, anchor: anchor.map(at), ..BillingPeriod::new(at(start), at(end)) }
}

#[test]
fn the_next_window_starts_at_the_end_and_ends_on_the_anchor_day() {
    use IntervalUnit::{Day, Month, Week, Year};
    let month = Some(every(1, Month));
    // start, end, interval, anchor; now; the predicted window
    let table = [
        (
            "2026-03-23T12:23:32",
            "2026-04-23T12:23:32",
            month,
            None,
            "2026-04-23T12:23:32",
            "2026-04-23T12:23:32",
            "2026-05-23T12:23:32",
        ),
        ("2026-01-31", "2026-02-28", month, None, "2026-03-01", "2026-02-28", "2026-03-31"),
        ("2026-02-28", "2026-03-31", month, Some("2026-01-31"), "2026-04-01", "2026-03-31", "2026-04-30"),
        ("2026-02-28", "2026-03-31", month, None, "2026-05-01", "2026-04-30", "2026-05-31"),
        ("2026-02-28", "2026-03-28", month, Some("2025-12-28"), "2026-03-30", "2026-03-28", "2026-04-28"),
        ("2024-01-30", "2024-02-29", month, None, "2024-03-01", "2024-02-29", "2024-03-30"),
        ("2026-01-31", "2026-02-28", month, None, "2026-12-31", "2026-12-31", "2027-01-31"),
        ("2024-02-29", "2025-02-28", Some(every(1, Year)), None, "2025-03-01", "2025-02-28", "2026-02-28"),
        ("2024-02-29", "2025-02-28", Some(every(1, Year)), None, "2028-03-01", "2028-02-29", "2029-02-28"),
        ("2025-11-30", "2026-02-28", Some(every(3, Month)), None, "2026-03-01", "2026-02-28", "2026-05-30"),
        // Both bounds are clamped: only the anchor knows.
        (
            "2026-06-30",
            "2026-09-30",
            Some(every(3, Month)),
            Some("2026-03-31"),
            "2026-10-01",
            "2026-09-30",
            "2026-12-31",
        ),
        ("2026-02-26", "2026-03-05", Some(every(1, Week)), None, "2026-03-20", "2026-03-19", "2026-03-26"),
        ("2026-02-27", "2026-03-01", Some(every(2, Day)), None, "2026-03-04", "2026-03-03", "2026-03-05"),
        // A trial's start says nothing about the anchor; its end does.
        ("2026-03-03", "2026-03-17", month, Some("2026-03-17"), "2026-03-18", "2026-03-17", "2026-04-17"),
        ("2026-03-03", "2026-03-17", month, None, "2026-03-18", "2026-03-17", "2026-04-17"),
        // Only the bounds are known: whole months, else the same length again.
        ("2026-01-31", "2026-02-28", None, None, "2026-03-01", "2026-02-28", "2026-03-31"),
        ("2025-02-25", "2025-03-27", None, None, "2025-03-27", "2025-03-27", "2025-04-26"),
        ("2025-05-05", "2026-05-05", None, None, "2026-05-06", "2026-05-05", "2027-05-05"),
    ];
    for (start, end, interval, anchor, now, from, to) in table {
        let period = period(start, end, interval, anchor);
        let window = Window::at(Some(&period), FOREVER, at(now));
        let expected = Window { kind: WindowKind::Predicted, start: at(from), end: at(to), until: at(to) };
        assert_eq!(window, expected, "{start}..{end} {interval:?} anchored {anchor:?} at {now}");
    }
}

#[test]
fn an_account_without_stripe_reads_the_calendar_month() {
    let window = Window::at(None, GRACE, at("2024-02-29T23:59:59"));
    assert_eq!((window.start, window.end, window.cycle()), (at("2024-02-01"), at("2024-03-01"), None));
    assert_eq!(window.counters(), Counters::Month(Month { year: 2024, month: 2 }));
}

#[test]
fn a_renewal_that_does_not_come_ends_in_the_calendar_month_after_the_grace() {
    let period = period("2026-03-20", "2026-04-20", Some(every(1, IntervalUnit::Month)), None);
    let read = |now| Window::at(Some(&period), GRACE, at(now)).counters();
    assert_eq!(read("2026-04-19T23:59:59"), Counters::Cycle(at("2026-03-20")));
    assert_eq!(read("2026-04-20"), Counters::Cycle(at("2026-04-20")));
    assert_eq!(read("2026-04-22T23:59:59"), Counters::Cycle(at("2026-04-20")));
    assert_eq!(read("2026-04-23"), Counters::Month(Month { year: 2026, month: 4 }));
    let gap = Window::at(Some(&period), GRACE, at("2026-04-21"));
    assert_eq!(
        (gap.end, gap.until),
        (at("2026-05-20"), at("2026-04-23")),
        "shown to the renewal, in force to the lapse"
    );
    assert!(!period.must_fall(GRACE, at("2026-04-22T23:59:59")));
    assert!(period.must_fall(GRACE, at("2026-04-23")));
    assert!(!BillingPeriod { fallen: true, ..period }.must_fall(GRACE, at("2026-04-23")), "once is enough");
}

#[test]
fn a_cancellation_keeps_the_cycle_until_it_takes_effect_and_has_no_grace() {
    let cancelled = |ends: &str| BillingPeriod {
        ends_at: Some(at(ends)),
        ..period("2026-03-20", "2026-04-20", Some(every(1, IntervalUnit::Month)), None)
    };
    let read = |period: &BillingPeriod, now| Window::at(Some(period), GRACE, at(now));
    let at_the_end = cancelled("2026-04-20");
    assert_eq!(read(&at_the_end, "2026-04-19T23:59:59").kind, WindowKind::Stated);
    assert_eq!(read(&at_the_end, "2026-04-20").kind, WindowKind::Calendar(Month { year: 2026, month: 4 }));
    let at_once = cancelled("2026-04-02");
    assert_eq!(read(&at_once, "2026-04-01").until, at("2026-04-02"));
    assert_eq!(read(&at_once, "2026-04-02").start, at("2026-04-01"), "what the month has used already counts");
    let later = cancelled("2026-06-20");
    assert_eq!(read(&later, "2026-04-21").kind, WindowKind::Predicted);
}

#[test]
fn a_period_stated_ahead_of_this_clock_has_begun() {
    let period = period("2026-03-20T00:00:05", "2026-04-20", Some(every(1, IntervalUnit::Month)), None);
    assert_eq!(Window::at(Some(&period), GRACE, at("2026-03-20")).cycle(), Some(period.start));
}

/// Stated start and end, now, and what moves from where to where.
type Row<'a> = (&'a str, &'a str, &'a str, &'a [(&'a str, &'a str)]);

#[test]
fn the_predicted_windows_usage_moves_to_the_real_one() {
    let monthly = Some(every(1, IntervalUnit::Month));
    let stored = period("2026-03-20", "2026-04-20", monthly, None);
    let table: [Row<'_>; 7] = [
        ("2026-04-20", "2026-05-20", "2026-04-21", &[]),
        ("2026-04-20T00:00:07", "2026-05-20T00:00:07", "2026-04-21", &[("2026-04-20", "2026-04-20T00:00:07")]),
        ("2026-04-22", "2026-05-22", "2026-04-22", &[("2026-04-20", "2026-04-22")]),
        ("2026-04-10", "2026-05-10", "2026-04-21", &[("2026-04-20", "2026-04-10")]),
        // Stripe extended the same period.
        ("2026-03-20", "2026-04-27", "2026-04-21", &[("2026-04-20", "2026-03-20")]),
        // The renewal was stated before the period ended: nothing was counted under a prediction.
        ("2026-04-10", "2026-05-10", "2026-04-10", &[]),
        // The webhook came two renewals late: each window goes to its own.
        (
            "2026-04-20T00:00:07",
            "2026-05-20T00:00:07",
            "2026-05-25",
            &[("2026-04-20", "2026-04-20T00:00:07"), ("2026-05-20", "2026-05-20T00:00:07")],
        ),
    ];
    for (start, end, now, expected) in table {
        let stated = period(start, end, monthly, None);
        let expected: Vec<_> = expected.iter().map(|(from, to)| Move { from: at(from), to: at(to) }).collect();
        assert_eq!(moves(&stored, &stated, FOREVER, at(now)), expected, "{start}..{end} at {now}");
    }
}

#[test]
fn a_predicted_window_that_was_over_before_the_new_start_stays() {
    let stored = period("2026-03-20", "2026-04-20", Some(every(1, IntervalUnit::Week)), None);
    let stated = period("2026-04-27", "2026-05-04", Some(every(1, IntervalUnit::Week)), None);
    assert_eq!(moves(&stored, &stated, FOREVER, at("2026-04-28")), []);
}

#[test]
fn a_window_is_predicted_to_end_where_the_period_says_else_a_month_later() {
    let stored = period("2026-03-20", "2026-04-20", Some(every(1, IntervalUnit::Month)), None);
    assert_eq!(predicted_end(Some(&stored), stored.start), stored.end);
    assert_eq!(predicted_end(Some(&stored), stored.end), at("2026-05-20"));
    let ended = BillingPeriod { ends_at: Some(at("2026-04-02")), ..stored };
    assert_eq!(predicted_end(Some(&ended), stored.start), at("2026-04-02"));
    assert_eq!(predicted_end(Some(&stored), at("2026-01-31")), at("2026-02-28"));
    assert_eq!(predicted_end(None, at("2026-01-31")), at("2026-02-28"));
    assert_eq!(predicted_end(None, UnixSeconds(i64::MAX)), UnixSeconds(i64::MAX), "far years stay in bounds");
}

fn any_period() -> impl Strategy<Value = BillingPeriod> {
    let unit =
        prop::sample::select(vec![IntervalUnit::Day, IntervalUnit::Week, IntervalUnit::Month, IntervalUnit::Year]);
    let interval = prop::option::of((unit, 1..4_u32).prop_map(|(unit, count)| Interval { unit, count }));
    let start = 0..4_000_000_000_i64;
    (start, 1..400 * DAY, interval, prop::option::of(0..4_000_000_000_i64), prop::option::of(1..900 * DAY)).prop_map(
        |(start, length, interval, anchor, ends)| BillingPeriod {
            interval,
            anchor: anchor.map(UnixSeconds),
            ends_at: ends.map(|after| UnixSeconds(start + after)),
            ..BillingPeriod::new(UnixSeconds(start), UnixSeconds(start + length))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn windows_tile_time(period in any_period(), grace_days in 0..400_u64) {
        let grace = Duration::from_secs(grace_days * 86_400);
        let lapses = period.lapses(grace);
        let mut window = Window::at(Some(&period), grace, period.start);
        while window.cycle().is_some() {
            prop_assert!(window.start < window.until && window.until <= window.end && window.until <= lapses);
            let last = UnixSeconds(window.until.0 - 1);
            prop_assert_eq!(Window::at(Some(&period), grace, last), window, "one window up to its last second");
            let next = Window::at(Some(&period), grace, window.until);
            if let Some(start) = next.cycle() {
                prop_assert_eq!(start, window.end, "no gap, no overlap");
            } else {
                prop_assert_eq!(window.until, lapses);
            }
            window = next;
        }
        prop_assert!(window.start <= lapses && lapses < window.end || lapses <= period.start);
    }

    #[test]
    fn a_short_month_never_moves_the_anchor_day(anchor in 0..4_000_000_000_i64, before in 0..40_usize, after in 1..40_usize) {
        let windows: Vec<_> = Renewals::monthly(UnixSeconds(anchor)).windows().take(before + after + 1).collect();
        let (start, end) = windows[before];
        let interval = Some(every(1, IntervalUnit::Month));
        let period = BillingPeriod { interval, anchor: Some(UnixSeconds(anchor)), ..BillingPeriod::new(start, end) };
        let (start, end) = windows[before + after];
        let window = Window::at(Some(&period), FOREVER, start);
        prop_assert_eq!((window.start, window.end), (start, end));
        let stated = BillingPeriod { start, end, ..period };
        prop_assert_eq!(moves(&period, &stated, FOREVER, start), [], "a prediction that comes true moves nothing");
    }

    #[test]
    fn whatever_numbers_are_stored_a_window_can_be_told(start: i64, end: i64, anchor: Option<i64>, ends: Option<i64>, now: i64) {
        let period = BillingPeriod {
            anchor: anchor.map(UnixSeconds), ends_at: ends.map(UnixSeconds),
            ..BillingPeriod::new(UnixSeconds(start), UnixSeconds(end))
        };
        let window = Window::at(Some(&period), GRACE, UnixSeconds(now));
        prop_assert!(window.start <= window.end);
        prop_assert!(predicted_end(Some(&period), UnixSeconds(now)).0 >= now);
        let _ = moves(&period, &BillingPeriod::new(UnixSeconds(now), UnixSeconds(end)), GRACE, UnixSeconds(now));
    }
}
