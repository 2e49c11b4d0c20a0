//! Writes limits as headers, as in draft-ietf-httpapi-ratelimit-headers.

use crate::domain::limit::Limit;
use bytes::{BufMut as _, BytesMut};
use hyper::{
    HeaderMap,
    header::{HeaderName, HeaderValue},
};
use std::{fmt::Write as _, time::Duration};

/// The largest integer that a structured field can hold (RFC 9651, section 3.3.1): fifteen digits.
const LARGEST: u64 = 999_999_999_999_999;

/// Bytes that both limits of a caller take.
const ROOM: usize = 64;

/// The quota of each limit: `"burst";q=20;w=20, "month";q=50`
pub(super) const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The rest of each limit: `"burst";r=19;t=1, "month";r=49;t=1425600`
pub(super) const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// Writes both headers, or neither if no limit has been checked.
pub(super) fn write(headers: &mut HeaderMap, limits: &[Limit]) {
    let (mut policies, mut left) = (Items::default(), Items::default());
    for limit in limits {
        let policy = policies.item(limit.policy).parameter(";q=", limit.quota.min(LARGEST));
        if let Some(window) = limit.window {
            policy.parameter(";w=", whole_seconds(window));
        }
        if let Some(state) = limit.left {
            let item = left.item(limit.policy).parameter(";r=", state.requests.min(LARGEST));
            item.parameter(";t=", whole_seconds(state.resets_in));
        }
    }
    for (name, Items(text)) in [(POLICY, policies), (LEFT, left)] {
        if let (false, Ok(value)) = (text.is_empty(), HeaderValue::from_maybe_shared(text.freeze())) {
            headers.insert(name, value);
        }
    }
}

/// A list of strings with parameters, as it is written.
#[derive(Default)]
struct Items(BytesMut);

impl Items {
    fn item(&mut self, policy: &str) -> &mut Self {
        if self.0.is_empty() {
            self.0.reserve(ROOM);
        } else {
            self.0.put_slice(b", ");
        }
        self.0.put_u8(b'"');
        self.0.put_slice(policy.as_bytes());
        self.0.put_u8(b'"');
        self
    }

    fn parameter(&mut self, name: &str, number: u64) -> &mut Self {
        // There is always room in such a buffer.
        let _ = write!(self.0, "{name}{number}");
        self
    }
}

/// Rounds up, so that a retry after this many seconds is never too early.
pub(super) fn whole_seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}
