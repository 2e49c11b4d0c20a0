use super::*;
use proptest::prelude::*;

const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;

fn frame(kind: u8, flags: u8, length: u8) -> Vec<u8> {
    let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, 1];
    frame.resize(FRAME_HEAD + usize::from(length), 0);
    frame
}

fn http2(now: Instant) -> Frames {
    let mut frames = Frames::new(now);
    assert_eq!(frames.read(PREFACE, now), Ok(Head::NotBegun));
    frames
}

/// How many such frames pass.
fn passes(frames: &mut Frames, frame: &[u8], now: Instant) -> u64 {
    (0..1_000_000).take_while(|_| frames.read(frame, now).is_ok()).count() as u64
}

#[test]
fn frames_that_belong_to_no_request_are_bounded() {
    for kind in [DATA, 2, 3, SETTINGS, PING, 7, WINDOW_UPDATE, CONTINUATION, 77] {
        let now = Instant::now();
        let (mut frames, frame) = (http2(now), frame(kind, 0, if kind == DATA { 0 } else { 8 }));
        assert_eq!(passes(&mut frames, &frame, now), AT_ONCE, "frame {kind}");
    }
}

#[test]
fn frames_are_bounded_at_once_and_in_each_second() {
    let start = Instant::now();
    let mut allowance = Allowance::new(start);
    let mut spent_by = |now| (0..1_000_000).take_while(|_| allowance.spend(now).is_ok()).count() as u64;
    assert_eq!(spent_by(start), AT_ONCE);
    assert_eq!(spent_by(start + Duration::from_secs(1)), PER_SECOND);
    assert_eq!(spent_by(start + Duration::from_mins(9)), AT_ONCE, "no more are saved up");
    let slow = (0..100_000_u32).map(|number| start + Duration::from_mins(10) + Duration::from_millis(10) * number);
    assert!(slow.into_iter().all(|now| allowance.spend(now).is_ok()), "for ever at that rate");
}

#[test]
fn requests_and_bodies_in_both_directions_allow_more() {
    let now = Instant::now();
    let mut frames = http2(now);
    frames.wrote(4 << 20);
    frames.read(&frame(HEADERS, END_HEADERS, 9), now).unwrap();
    for _ in 0..100_000 {
        assert!(frames.read(&frame(DATA, 0, 128), now).is_ok(), "an upload in small pieces is no flood");
    }
    let earned = 4_096 + PER_REQUEST + 12_500;
    assert_eq!(passes(&mut frames, &frame(WINDOW_UPDATE, 0, 4), now), AT_ONCE + earned);
}

#[test]
fn a_head_has_begun_until_its_last_frame_has_ended() {
    let now = Instant::now();
    let mut frames = http2(now);
    let (start, end) = (frame(HEADERS, 0, 3), frame(CONTINUATION, END_HEADERS, 2));
    for (bytes, head) in [
        (&frame(PING, 0, 8)[..], Head::NotBegun),
        (&frame(PING, 0, 8)[..12], Head::NotBegun),
        (&[0; 5], Head::NotBegun),
        (&start[..8], Head::NotBegun),
        (&start[8..9], Head::Begun),
        (&start[9..], Head::Begun),
        (&end[..10], Head::Begun),
        (&end[10..], Head::NotBegun),
        (&frame(HEADERS, END_HEADERS, 0), Head::NotBegun),
        (&frame(DATA, 0, 9)[..10], Head::NotBegun),
    ] {
        assert_eq!(frames.read(bytes, now), Ok(head), "{bytes:?}");
    }
}

#[test]
fn bytes_that_do_not_begin_with_the_preface_of_http2_are_http1() {
    let now = Instant::now();
    for start in ["POST /rmbg HTTP/1.1\r\n", "PRI * HTTP/1.1\r\n", "P"] {
        let mut frames = Frames::new(now);
        let expected = if start.len() > 1 { Head::IfNoRequest } else { Head::Begun };
        assert_eq!(frames.read(start.as_bytes(), now), Ok(expected), "{start}");
    }
    let mut frames = Frames::new(now);
    frames.read(b"GET", now).unwrap();
    assert_eq!(frames.read(&vec![0; 100_000], now), Ok(Head::IfNoRequest), "and stays it");
}

proptest! {
    #[test]
    fn how_the_bytes_are_cut_makes_no_difference(
        sent in prop::collection::vec((0_u8..12, any::<u8>(), any::<u8>()), 0..40),
        cuts in prop::collection::vec(1_usize..30, 1..40),
    ) {
        let now = Instant::now();
        let all: Vec<u8> =
            PREFACE.iter().copied().chain(sent.iter().flat_map(|(kind, flags, length)| frame(*kind, *flags, *length))).collect();
        let (mut whole, mut pieces) = (Frames::new(now), Frames::new(now));
        let expected = whole.read(&all, now);
        let (mut rest, mut cuts, mut last) = (&all[..], cuts.iter().cycle(), Ok(Head::NotBegun));
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
            last = pieces.read(piece, now);
            rest = after;
        }
        prop_assert_eq!(last, expected);
        prop_assert_eq!(pieces.allowance.left, whole.allowance.left);
    }
}
