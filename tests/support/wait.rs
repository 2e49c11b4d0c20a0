//! Waiting until a condition is true.

use std::time::{Duration, Instant};

/// Nothing that a test waits for takes as long as this, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until it is so.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < PATIENCE, "it is still not so that {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
