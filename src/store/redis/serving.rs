//! Whether gateways serve on a Redis, as a command can tell.

use super::dial::Dialer;
use crate::{
    config::RedisUrl,
    store::{Fault, Result, key_names},
};
use redis::cmd;
use std::{collections::BTreeMap, time::Duration};
use tokio::time::{Instant, sleep};

/// Longer than two heartbeats of a gateway.
const WATCHED: Duration = Duration::from_secs(4);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(250);

/// Whether any gateway gives a sign of life. One that has just ended has left its name, so the names are watched: this takes
/// some seconds if there are names and nobody is there.
pub(in crate::store) async fn has_gateways(url: &RedisUrl) -> Result<bool> {
    let failed = |error: redis::RedisError| Fault::Unavailable(error.to_string());
    let dialer = Dialer::new(url).map_err(|error| Fault::Unusable(error.to_string()))?;
    let mut connection = dialer.connect().await.map_err(failed)?;
    let mut look = async || {
        let mut command = cmd("ZRANGE");
        command.arg(key_names::ALIVE).arg(0).arg(-1).arg("WITHSCORES");
        let seen: Vec<(String, f64)> = command.query_async(&mut connection).await.map_err(failed)?;
        Ok::<_, Fault>(seen.into_iter().collect::<BTreeMap<_, _>>())
    };
    let first = look().await?;
    let begun = Instant::now();
    while !first.is_empty() && begun.elapsed() < WATCHED {
        sleep(PAUSE).await;
        let now = look().await?;
        if now.iter().any(|(name, seen)| first.get(name).is_none_or(|before| before < seen)) {
            return Ok(true);
        }
    }
    Ok(false)
}
