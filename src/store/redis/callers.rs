//! Hears what the gateways and the command line tell each other about changed keys and accounts.
//!
//! The connection is tested with a ping four times a second: a broken one can stay open and would tell of no revocation.

use super::{dial::Dialer, link::Link};
use crate::{
    domain::{account::Uid, api_key::KeyHash},
    store::{callers::Callers, key_names},
};
use futures_util::{FutureExt as _, StreamExt as _};
use redis::{Msg, RedisResult, Value};
use std::{io, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// Between two attempts to hear what changes.
const PAUSE: Duration = Duration::from_millis(250);

/// Between two pings: a third of the time for which the cache is believed without an answer.
const PING_EVERY: Duration = Duration::from_millis(250);

/// How long the answer to a ping may take.
const PONG: Duration = Duration::from_secs(1);

/// Listens for ever.
pub(super) async fn listen(callers: Arc<Callers>, link: Link) {
    loop {
        // Whether it ended well or badly, it has ended: something may go unheard now.
        drop(hear(&callers, link.dialer()).await);
        callers.doubt_all();
        sleep(PAUSE).await;
    }
}

async fn hear(callers: &Callers, dialer: &Dialer) -> RedisResult<()> {
    let (mut connection, mut changes) = dialer.listen().await?.split();
    connection.subscribe(key_names::CHANGES).await?;
    callers.forget_all();
    loop {
        let asked = Instant::now();
        let _pong: Value = timeout(PONG, connection.ping()).await.map_err(|_| silent())??;
        // What was told before the answer has come in before it.
        while let Some(told) = changes.next().now_or_never() {
            forget(callers, told)?;
        }
        callers.confirm(asked);
        while let Ok(told) = timeout_at(asked + PING_EVERY, changes.next()).await {
            forget(callers, told)?;
        }
    }
}

fn forget(callers: &Callers, told: Option<Msg>) -> RedisResult<()> {
    let text: String = told.ok_or_else(silent)?.get_payload()?;
    match text.split_once(' ') {
        Some(("key", hash)) => callers.forget_key(&KeyHash(hash.into())),
        Some(("account", uid)) if let Ok(uid) = Uid::new(uid) => callers.forget_account(&uid),
        _ => callers.forget_all(),
    }
    Ok(())
}

fn silent() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the connection for changes is silent")
}
