//! The composition root.

use crate::config::Config;

/// Why the gateway did not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum StartError {}

/// Serves until told to stop.
#[expect(clippy::unused_async, reason = "the place that the composition root takes")]
pub async fn run(_config: Config) -> Result<(), StartError> {
    Ok(())
}
