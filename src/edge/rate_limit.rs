//! Writes limits as headers, as in draft-ietf-httpapi-ratelimit-headers.

use crate::domain::limit::Limit;
use hyper::{
    HeaderMap,
    header::{HeaderName, HeaderValue},
};
use std::time::Duration;

/// The largest integer that a structured field can hold (RFC 9651, section 3.3.1): fifteen digits.
const LARGEST: u64 = 999_999_999_999_999;

/// The quota of each limit: `"burst";q=20;w=20, "month";q=50`
pub(super) const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The rest of each limit: `"burst";r=19;t=1, "month";r=49;t=1425600`
pub(super) const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// Writes both headers, or neither if no limit has been checked.
pub(super) fn write(headers: &mut HeaderMap, limits: &[Limit]) {
    let policies = limits.iter().map(|limit| {
        let window = limit.window.map_or_else(String::new, |window| format!(";w={}", whole_seconds(window)));
        format!("\"{}\";q={}{window}", limit.policy, limit.quota.min(LARGEST))
    });
    let left = limits.iter().filter_map(|limit| {
        let left = limit.left?;
        let requests = left.requests.min(LARGEST);
        Some(format!("\"{}\";r={requests};t={}", limit.policy, whole_seconds(left.resets_in)))
    });
    for (name, items) in [(POLICY, policies.collect::<Vec<_>>()), (LEFT, left.collect())] {
        if let (false, Ok(value)) = (items.is_empty(), HeaderValue::try_from(items.join(", "))) {
            headers.insert(name, value);
        }
    }
}

/// Rounds up, so that a retry after this many seconds is never too early.
pub(super) fn whole_seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}
