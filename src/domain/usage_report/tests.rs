use super::*;
use crate::domain::{
    account::{Overrides, Uid},
    complaint::Complaint,
    period::{Counters, Interval, IntervalUnit},
    time::Month,
};
use proptest::prelude::*;
use serde_json::json;
use std::time::Duration;

const GRACE: Duration = Duration::from_hours(72);
const MARCH: UnixSeconds = UnixSeconds(1_774_268_612);
const APRIL: UnixSeconds = UnixSeconds(1_776_947_012);
const MAY: UnixSeconds = UnixSeconds(1_779_539_012);

fn account(period: Option<BillingPeriod>) -> Account {
    Account {
        uid: Uid::new("42").unwrap(),
        membership: "Premium-20000".into(),
        credits: 18_500,
        prepaid: 2_000,
        email_verified: true,
        overrides: Overrides::default(),
        billing_period: period,
    }
}

fn monthly(start: UnixSeconds, end: UnixSeconds) -> BillingPeriod {
    let interval = Some(Interval { unit: IntervalUnit::Month, count: 1 });
    BillingPeriod { interval, ..BillingPeriod::new(start, end) }
}

fn window(account: &Account, now: i64) -> Window {
    Window::at(account.billing_period.as_ref(), GRACE, UnixSeconds(now))
}

fn used(app: u64, api: u64) -> Usage {
    Usage { app, api }
}

fn wire(answer: &impl Serialize) -> String {
    serde_json::to_string(answer).unwrap()
}

#[test]
fn the_documented_report_is_answered_byte_for_byte() {
    let account = account(Some(monthly(UnixSeconds(1_740_441_600), UnixSeconds(1_743_033_599))));
    let current = BillingCycle::current(&account, &window(&account, 1_741_000_000), used(4_200, 5_100));
    let documented = concat!(
        r#"{"membership":"Premium-20000","credits":18500,"prepaidCredits":2000,"app_usage":8500,"api_usage":10000,"#,
        r#""billingCycle":{"periodStartUnix":1740441600,"periodEndUnix":1743033599,"appUsage":4200,"apiUsage":5100,"#,
        r#""includedCredits":18500,"prepaidCredits":2000,"usedIncludedCredits":9300,"remainingIncludedCredits":9200,"#,
        r#""stripeBillingSynced":true}}"#
    );
    assert_eq!(wire(&MembershipUsage::new(&account, used(8_500, 10_000), Some(current))), documented);
}

#[test]
fn the_documented_list_is_answered_byte_for_byte() {
    let account = account(Some(monthly(MARCH, APRIL)));
    let list = BillingCycles::new(&account, [(MARCH, used(120, 880))], &window(&account, MARCH.0 + 5));
    let documented = concat!(
        r#"{"billingCycles":[{"periodStartUnix":1774268612,"periodEndUnix":1776947012,"#,
        r#""appUsage":120,"apiUsage":880}]}"#
    );
    assert_eq!(wire(&list), documented);
}

#[test]
fn an_account_with_nothing_answers_zeros() {
    let account = Account { membership: String::new(), credits: 0, prepaid: 0, ..account(None) };
    let now = window(&account, 1_772_366_400);
    let report = MembershipUsage::new(&account, used(0, 0), Some(BillingCycle::current(&account, &now, used(0, 0))));
    let expected = json!({
        "membership": "", "credits": 0, "prepaidCredits": 0, "app_usage": 0, "api_usage": 0,
        "billingCycle": {
            "periodStartUnix": 1_772_323_200, "periodEndUnix": 1_775_001_599, "appUsage": 0, "apiUsage": 0,
            "includedCredits": 0, "prepaidCredits": 0, "usedIncludedCredits": 0, "remainingIncludedCredits": 0,
            "stripeBillingSynced": false
        }
    });
    assert_eq!(serde_json::to_value(&report).unwrap(), expected);
    assert_eq!(wire(&BillingCycles::new(&account, [], &now)), r#"{"billingCycles":[]}"#);
}

#[test]
fn what_is_left_of_the_allowance_is_never_negative() {
    let account = account(Some(monthly(MARCH, APRIL)));
    let cycle = BillingCycle::current(&account, &window(&account, MARCH.0), used(18_000, 501));
    assert_eq!((cycle.used_included_credits, cycle.remaining_included_credits), (18_501, 0));
}

#[test]
fn listed_ends_are_inferred() {
    let february = UnixSeconds(1_771_849_412);
    let cycles = || [(MARCH, used(1, 2)), (february, used(3, 4))];
    let ends = |account: &Account, more: &[(UnixSeconds, Usage)], now: i64| {
        let cycles = cycles().into_iter().chain(more.iter().copied());
        let list = BillingCycles::new(account, cycles, &window(account, now)).billing_cycles;
        list.into_iter().map(|cycle| (cycle.period_start_unix, cycle.period_end_unix)).collect::<Vec<_>>()
    };
    let synced = account(Some(monthly(MARCH, APRIL)));
    assert_eq!(
        ends(&synced, &[], MARCH.0 + 5),
        [(MARCH.0, APRIL.0), (february.0, MARCH.0 - 1)],
        "the current one ends as stated, a past one before the next"
    );
    assert_eq!(
        ends(&synced, &[(APRIL, used(5, 6))], APRIL.0 + 5),
        [(APRIL.0, MAY.0), (MARCH.0, APRIL.0 - 1), (february.0, MARCH.0 - 1)],
        "a predicted window is current until the webhook comes"
    );
    assert_eq!(
        ends(&synced, &[], APRIL.0 + 5),
        [(MARCH.0, APRIL.0 - 1), (february.0, MARCH.0 - 1)],
        "without usage it is not listed, but the one before it is over"
    );
    assert_eq!(
        ends(&synced, &[(APRIL, used(5, 6))], APRIL.0 + 40 * 86_400),
        [(APRIL.0, MAY.0 - 1), (MARCH.0, APRIL.0 - 1), (february.0, MARCH.0 - 1)],
        "after a lapse the newest ends where it was predicted to"
    );
    let unused = account(Some(monthly(APRIL, MAY)));
    assert_eq!(
        ends(&unused, &[], APRIL.0 + 5),
        [(APRIL.0, MAY.0), (MARCH.0, APRIL.0 - 1), (february.0, MARCH.0 - 1)],
        "the current one is listed without usage"
    );
    let forgotten = account(None);
    assert_eq!(
        ends(&forgotten, &[], APRIL.0 + 5),
        [(MARCH.0, APRIL.0 - 1), (february.0, MARCH.0 - 1)],
        "nothing known: a month"
    );
}

#[test]
fn one_cycle_reads_as_it_is_listed() {
    let account = account(Some(monthly(MARCH, APRIL)));
    let starts = [UnixSeconds(1_771_849_412), MARCH, APRIL];
    for now in [MARCH.0 + 5, APRIL.0 + 5, APRIL.0 + 40 * 86_400] {
        let window = window(&account, now);
        let cycles = starts.iter().map(|start| (*start, used(7, 8)));
        for listed in BillingCycles::new(&account, cycles, &window).billing_cycles {
            let start = UnixSeconds(listed.period_start_unix);
            let cycle = BillingCycle::of_cycle(&account, start, used(7, 8), &window, &starts);
            assert_eq!((cycle.period_start_unix, cycle.period_end_unix), (start.0, listed.period_end_unix), "at {now}");
            assert!(cycle.stripe_billing_synced);
        }
    }
    let never = BillingCycle::of_cycle(&account, UnixSeconds(1), used(0, 0), &window(&account, MARCH.0), &starts);
    assert_eq!(never.period_end_unix, starts[0].0 - 1);
}

#[test]
fn queries_are_read_as_documented() {
    let month =
        |year, month| Ok(UsageQuery::Report(ReportQuery { asked: Asked::Month { year, month }, billing_cycle: false }));
    let cycle =
        |start| Ok(UsageQuery::Report(ReportQuery { asked: Asked::Cycle(UnixSeconds(start)), billing_cycle: false }));
    let list = Ok(UsageQuery::ListBillingCycles);
    let integer = |field, sent: &str| Complaint::NotAnInteger(field, sent.into());
    let below = |sent: &str| Complaint::BelowRange("periodStartUnix", 1, sent.into());
    let year_range = |sent: &str| Complaint::OutsideRange("year", 1, 9_999, sent.into());
    let month_range = |sent: &str| Complaint::OutsideRange("month", 1, 12, sent.into());
    let table = [
        ("", month(None, None)),
        ("&&=&x", month(None, None)),
        ("year=2026&month=3", month(Some(2026), Some(3))),
        ("year=9999", month(Some(9999), None)),
        ("month=012&year=1", month(Some(1), Some(12))),
        ("month=%2B5", month(None, Some(5))),
        ("month=+5", month(None, Some(5))),
        ("m%6Fnth=5", month(None, Some(5))),
        ("year=&month=", month(None, None)),
        ("month=4&month=abc", month(None, Some(4))),
        ("Month=abc&unknown=1", month(None, None)),
        ("periodStartUnix=1774268612", cycle(1_774_268_612)),
        ("periodStartUnix=1774268612&year=", cycle(1_774_268_612)),
        ("periodStartUnix=9007199254740991", cycle(9_007_199_254_740_991)),
        ("month=abc", Err(vec![integer("month", "abc")])),
        ("month=5.0", Err(vec![integer("month", "5.0")])),
        ("month=%zz", Err(vec![integer("month", "%zz")])),
        ("month=%ff", Err(vec![integer("month", "\u{fffd}")])),
        ("month=%D9%A3", Err(vec![integer("month", "\u{663}")])),
        ("month=-", Err(vec![integer("month", "-")])),
        ("month=13", Err(vec![month_range("13")])),
        ("year=0", Err(vec![year_range("0")])),
        ("year=10000", Err(vec![year_range("10000")])),
        ("year=99999999999999999999999999", Err(vec![year_range("99999999999999999999999999")])),
        ("month=0&year=-1", Err(vec![year_range("-1"), month_range("0")])),
        ("periodStartUnix=-5", Err(vec![below("-5")])),
        ("periodStartUnix=-99999999999999999999", Err(vec![below("-99999999999999999999")])),
        (
            "periodStartUnix=9007199254740992",
            Err(vec![Complaint::AboveRange("periodStartUnix", 9_007_199_254_740_991, "9007199254740992".into())]),
        ),
        ("periodStartUnix=5&month=3", Err(vec![Complaint::PeriodWithMonth])),
        ("year=2026&periodStartUnix=5", Err(vec![Complaint::PeriodWithMonth])),
        (
            "periodStartUnix=x&month=13",
            Err(vec![month_range("13"), integer("periodStartUnix", "x"), Complaint::PeriodWithMonth]),
        ),
        ("listBillingCycles=1", list.clone()),
        ("year=abc&periodStartUnix=-1&listBillingCycles=true&month=13", list),
        ("listBillingCycles=yes", month(None, None)),
        ("listBillingCycles=0&listBillingCycles=1", month(None, None)),
    ];
    for (raw, expected) in table {
        assert_eq!(UsageQuery::parse(raw), expected, "{raw:?}");
    }
}

#[test]
fn the_messages_are_the_contracts() {
    let messages = |raw| -> Vec<_> {
        UsageQuery::parse(raw).unwrap_err().iter().map(|fault| (fault.field(), fault.message())).collect()
    };
    assert_eq!(messages("month=abc"), [("month", "'month' must be an integer, got: 'abc'".into())]);
    assert_eq!(messages("month=13"), [("month", "'month' must be between 1 and 12, got: 13".into())]);
    assert_eq!(messages("year=0"), [("year", "'year' must be between 1 and 9999, got: 0".into())]);
    assert_eq!(
        messages("periodStartUnix=-5"),
        [("periodStartUnix", "'periodStartUnix' must be at least 1, got: -5".into())]
    );
    assert_eq!(
        messages("periodStartUnix=5&year=2026"),
        [("periodStartUnix", "Cannot combine 'periodStartUnix' with 'year' or 'month'.".into())]
    );
}

#[test]
fn billing_cycle_is_asked_for_in_either_spelling() {
    let asked = |raw| match UsageQuery::parse(raw) {
        Ok(UsageQuery::Report(report)) => report.billing_cycle,
        other => panic!("{other:?}"),
    };
    for raw in
        ["expand=billing_cycle", "expand=other,%20billing_cycle", "includeBillingCycle=1", "includeBillingCycle=true"]
    {
        assert!(asked(raw), "{raw}");
    }
    for raw in
        ["expand=", "expand=billing", "expand=x&expand=billing_cycle", "includeBillingCycle=yes", "billing_cycle=1"]
    {
        assert!(!asked(raw), "{raw}");
    }
}

#[test]
fn a_report_names_the_counters_it_needs() {
    let report = |raw| match UsageQuery::parse(raw) {
        Ok(UsageQuery::Report(report)) => report,
        other => panic!("{other:?}"),
    };
    let (synced, plain) = (account(Some(monthly(MARCH, APRIL))), account(None));
    let (synced, plain) = (window(&synced, MARCH.0 + 5), window(&plain, MARCH.0 + 5));
    let month = |year, month| Counters::Month(Month { year, month });

    let partial = report("month=1");
    assert_eq!(partial.counters(MARCH), month(2026, 1), "the year is now's");
    assert_eq!(partial.cycle_counters(&synced), None);

    let past = report("year=2025&month=2&expand=billing_cycle");
    assert_eq!(past.counters(MARCH), month(2025, 2));
    assert_eq!(past.cycle_counters(&synced), Some(Counters::Cycle(MARCH)));
    assert_eq!(past.cycle_counters(&plain), Some(month(2026, 3)), "the current month, not the one asked for");

    let cycle = report("periodStartUnix=7&includeBillingCycle=1");
    assert_eq!(cycle.counters(MARCH), Counters::Cycle(UnixSeconds(7)));
    assert_eq!(cycle.cycle_counters(&synced), Some(Counters::Cycle(UnixSeconds(7))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_query_is_read_or_refused_in_words(raw in "[a-zA-Z0-9%&=+,. \u{e9}-]{0,60}|(year|month|periodStartUnix)=[-+0-9%]{0,30}") {
        if let Err(faults) = UsageQuery::parse(&raw) {
            prop_assert!(!faults.is_empty());
        }
    }

    #[test]
    fn listed_windows_do_not_overlap(starts in prop::collection::vec(1..2_000_000_000_i64, 0..20), now in 1..2_000_000_000_i64) {
        let account = account(Some(monthly(MARCH, APRIL)));
        let cycles = starts.iter().map(|start| (UnixSeconds(*start), used(1, 1)));
        let list = BillingCycles::new(&account, cycles, &window(&account, now)).billing_cycles;
        for pair in list.windows(2) {
            prop_assert!(pair[0].period_start_unix > pair[1].period_start_unix, "newest first");
            let current = pair[1].period_start_unix == MARCH.0;
            prop_assert!(current || pair[1].period_end_unix < pair[0].period_start_unix);
        }
    }
}
