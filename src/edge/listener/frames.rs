//! Follows the bytes that a client sends on a connection: where HTTP/2's frames begin and end, whether a request's head has
//! begun, and how many frames belong to no request. Pure: time is an argument.
//!
//! h2 bounds small and empty DATA frames, CONTINUATION frames, a head's size and streams that were reset. It answers every
//! PING and SETTINGS, and reads every PRIORITY, `WINDOW_UPDATE` and unknown frame, without any bound.

use std::time::Duration;
use tokio::time::Instant;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEAD: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// The most frames that a connection may send at once, and then in each second, beside those of requests and bodies.
const AT_ONCE: u64 = 1_000;
const PER_SECOND: u64 = 100;

/// A connection may send more of them for each request, and for so many bytes of bodies in either direction: windows are
/// moved on in frames of their own, by some clients for every few KiB.
const PER_REQUEST: u64 = 4;
const BYTES_EACH: u64 = 1_024;

/// The protocol, and the position in it.
#[derive(Debug)]
enum State {
    /// So many bytes of the preface of HTTP/2 have come.
    Preface(usize),
    Http1,
    /// So many bytes of a frame's head have come.
    FrameHead([u8; FRAME_HEAD], usize),
    /// So many bytes of a frame are still to come.
    Payload(u64),
}

/// Follows the bytes of a client.
#[derive(Debug)]
pub(super) struct Frames {
    state: State,
    /// Whether a head has begun and its end is still to come, in this frame or in another one.
    head: bool,
    /// Whether the head ends with this frame.
    ends_head: bool,
    allowance: Allowance,
}

/// Whether a request's head has begun and not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    Begun,
    NotBegun,
    /// In HTTP/1, a head has begun if the bytes belong to no request.
    IfNoRequest,
}

/// A client that sends far more frames than requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flood;

impl Frames {
    pub(super) fn new(now: Instant) -> Self {
        Self { state: State::Preface(0), head: false, ends_head: false, allowance: Allowance::new(now) }
    }

    /// Whether the client speaks HTTP/1, as it then does to the end.
    pub(super) fn is_http1(&self) -> bool {
        matches!(self.state, State::Http1)
    }

    /// Takes the next bytes.
    pub(super) fn read(&mut self, mut bytes: &[u8], now: Instant) -> Result<Head, Flood> {
        while let Some((first, rest)) = bytes.split_first() {
            match &mut self.state {
                State::Http1 => return Ok(Head::IfNoRequest),
                State::Preface(matched) => {
                    if PREFACE.get(*matched) != Some(first) {
                        self.state = State::Http1;
                        continue;
                    }
                    *matched += 1;
                    if *matched == PREFACE.len() {
                        self.state = State::FrameHead([0; FRAME_HEAD], 0);
                    }
                    bytes = rest;
                }
                State::FrameHead(head, filled) => {
                    if let Some(next) = head.get_mut(*filled) {
                        *next = *first;
                    }
                    *filled += 1;
                    bytes = rest;
                    if *filled == FRAME_HEAD {
                        let head = *head;
                        self.begin(head, now)?;
                    }
                }
                State::Payload(left) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left -= taken as u64;
                    bytes = bytes.get(taken..).unwrap_or_default();
                    self.end_if_whole();
                }
            }
        }
        match self.state {
            State::Http1 => Ok(Head::IfNoRequest),
            State::Preface(0) => Ok(Head::NotBegun),
            State::Preface(_) => Ok(Head::Begun),
            State::FrameHead(..) | State::Payload(_) => Ok(if self.head { Head::Begun } else { Head::NotBegun }),
        }
    }

    /// Notes that so many bytes have been sent to the client.
    pub(super) fn wrote(&mut self, bytes: usize) {
        self.allowance.earn_by_bytes(bytes as u64);
    }

    fn begin(&mut self, head: [u8; FRAME_HEAD], now: Instant) -> Result<(), Flood> {
        let [long, middle, short, kind, flags, ..] = head;
        let length = u64::from(u32::from_be_bytes([0, long, middle, short]));
        match kind {
            DATA if length > 0 => self.allowance.earn_by_bytes(length),
            HEADERS => self.allowance.earned += PER_REQUEST,
            _ => self.allowance.spend(now)?,
        }
        if kind == HEADERS || kind == CONTINUATION {
            self.head = true;
            self.ends_head = flags & END_HEADERS != 0;
        }
        self.state = State::Payload(length);
        self.end_if_whole();
        Ok(())
    }

    fn end_if_whole(&mut self) {
        if let State::Payload(0) = self.state {
            self.state = State::FrameHead([0; FRAME_HEAD], 0);
            if std::mem::take(&mut self.ends_head) {
                self.head = false;
            }
        }
    }
}

/// How many more frames a client may send that belong to neither requests nor bodies.
#[derive(Debug)]
struct Allowance {
    left: u64,
    /// When `left` was last increased.
    given: Instant,
    earned: u64,
    /// The bytes for which no frame has been earned yet.
    bytes: u64,
}

impl Allowance {
    fn new(now: Instant) -> Self {
        Self { left: AT_ONCE, given: now, earned: 0, bytes: 0 }
    }

    fn earn_by_bytes(&mut self, bytes: u64) {
        self.bytes += bytes;
        self.earned += self.bytes / BYTES_EACH;
        self.bytes %= BYTES_EACH;
    }

    fn spend(&mut self, now: Instant) -> Result<(), Flood> {
        if self.earned > 0 {
            self.earned -= 1;
            return Ok(());
        }
        let each = Duration::from_secs(1).as_nanos() / u128::from(PER_SECOND);
        let due = now.saturating_duration_since(self.given).as_nanos() / each;
        let due = u64::try_from(due).unwrap_or(u64::MAX);
        if due > 0 {
            self.left = self.left.saturating_add(due).min(AT_ONCE);
            self.given = now;
        }
        self.left = self.left.checked_sub(1).ok_or(Flood)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
