use super::*;
use std::time::Instant;

fn limits(bad_credentials: u32, in_flight: u32) -> ShieldLimits {
    let some = |number| NonZeroU32::new(number).unwrap();
    ShieldLimits { bad_credentials_per_minute: some(bad_credentials), in_flight_per_client: some(in_flight) }
}

fn client(number: u32) -> IpAddr {
    std::net::Ipv4Addr::from_bits(number).into()
}

#[test]
fn guessing_is_stopped_at_the_limit_for_the_guesser_alone() {
    let shield = Shield::new(limits(60, 1));
    for guess in 0..60 {
        assert_eq!(shield.guessing_too_fast(client(1)), None, "guess {guess}");
        shield.bad_credential(client(1));
    }
    let wait = shield.guessing_too_fast(client(1)).expect("the 61st guess is not looked at");
    assert!((Duration::from_secs(50)..=Duration::from_mins(1)).contains(&wait), "{wait:?}");
    assert_eq!(shield.guessing_too_fast(client(2)), None);
}

#[test]
fn a_guesser_who_stops_is_heard_again_after_the_time_it_was_told() {
    let window = Duration::from_millis(300);
    let shield = Shield::with_window(limits(3, 1), window);
    for _ in 0..4 {
        shield.bad_credential(client(1));
    }
    let told = shield.guessing_too_fast(client(1)).expect("four of three");
    let start = Instant::now();
    while shield.guessing_too_fast(client(1)).is_some() {
        assert!(start.elapsed() < Duration::from_secs(10), "never heard again");
        std::thread::yield_now();
    }
    assert!(start.elapsed() + Duration::from_millis(2) >= told, "told {told:?}, was {:?}", start.elapsed());
}

#[test]
fn the_wait_is_where_the_sliding_count_falls_below_the_limit() {
    // Limit, previous window, this one, how much of this one has passed → windows to wait.
    let table = [
        (60.0, 0.0, 59.0, 0.5, 0.0),
        (60.0, 0.0, 60.0, 0.0, 1.0),
        (60.0, 0.0, 60.0, 0.25, 0.75),
        (60.0, 0.0, 120.0, 0.5, 1.0),
        (60.0, 120.0, 0.0, 0.25, 0.25),
        (60.0, 120.0, 30.0, 0.5, 0.25),
        (60.0, 60.0, 0.0, 0.5, 0.0),
        (60.0, 60.0, 0.0, 0.0, 0.0),
    ];
    for (limit, previous, current, passed, expected) in table {
        let wait = windows_until_below(limit, previous, current, passed);
        assert!((wait - expected).abs() < 1e-9, "{limit} {previous} {current} {passed}: {wait}, not {expected}");
    }
}

#[test]
fn requests_in_flight_are_bounded_by_client_and_a_finished_one_makes_room() {
    let shield = Shield::new(limits(1, 3));
    let mut open: Vec<_> = (0..3).map(|_| shield.enter(client(1)).expect("up to three")).collect();
    assert!(shield.enter(client(1)).is_none(), "the fourth");
    assert!(shield.enter(client(1)).is_none(), "a refused one must not count");
    assert!(shield.enter(client(2)).is_some(), "somebody else");
    open.pop();
    assert!(shield.enter(client(1)).is_some(), "one has finished");
}

#[test]
fn a_thousand_guessers_hurt_nobody_else() {
    let shield = Shield::new(limits(60, 512));
    for guesser in 0..1_000 {
        for _ in 0..60 {
            shield.bad_credential(client(guesser));
        }
    }
    let hurt = (1_000_000..1_010_000).filter(|innocent| shield.guessing_too_fast(client(*innocent)).is_some()).count();
    assert!(hurt <= 1, "{hurt} of 10,000 innocents were taken for guessers");
}
