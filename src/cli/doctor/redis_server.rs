//! Checks the Redis or Valkey, if that is the store.

use super::{super::Session, Finding};
use crate::store::redis::{Weight, inspect};

const CURE: &str = "docs/redis.md says how a Redis is set up for this.";

/// No findings for the embedded store, and none for a server that does not answer: another check reports that.
pub(super) async fn look(session: &Session) -> Vec<Finding> {
    let Some(Ok(url)) = session.config.store.redis_url() else { return Vec::new() };
    let remarks = inspect(&url, &session.clock).await.unwrap_or_default();
    let finding = |weight: Weight, says| match weight {
        Weight::Good => Finding::ok("Redis", says),
        Weight::Doubtful => Finding::warn("Redis", says, CURE),
        Weight::Fatal => Finding::fail("Redis", says, CURE),
    };
    remarks.into_iter().map(|remark| finding(remark.weight, remark.says)).collect()
}
