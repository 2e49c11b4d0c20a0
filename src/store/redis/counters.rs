//! Counters: plain integers under their documented names, and what is read from them.

use super::{accounts::scan, desk::Desk, line::Line};
use crate::{
    domain::{
        caller::{Channel, Uid},
        period::Counters,
        time::{UnixMicros, UnixSeconds},
    },
    store::{
        Result, Usage,
        keys::{self, AccountNames, KeyStyle},
    },
};
use redis::cmd;
use tracing::info;

impl AccountNames {
    /// The window's two counters, of signed-in users and of API keys.
    pub(super) fn usages(&self, window: Counters) -> [String; 2] {
        [Channel::App, Channel::Api].map(|channel| self.usage(channel, window))
    }

    /// A cycle's three counters: of signed-in users, of API keys, and of prepaid credits.
    pub(super) fn cycle_counters(&self, start: UnixSeconds) -> [String; 3] {
        let [app, api] = self.usages(Counters::Cycle(start));
        [app, api, self.prepaid_usage(Counters::Cycle(start))]
    }

    /// The rest of a name that begins with the account's own.
    pub(super) fn below<'a>(&self, name: &'a str) -> &'a str {
        name.strip_prefix(self.own()).and_then(|rest| rest.strip_prefix(':')).unwrap_or(name)
    }
}

/// What a counter stands at; 0 if it was never raised.
pub(super) async fn value(desk: &Desk, name: &str) -> Result<u64> {
    let value: Option<i64> = desk.line.command(cmd("GET").arg(name)).await?;
    Ok(u64::try_from(value.unwrap_or(0)).unwrap_or(0))
}

/// Included credits that an account has used in a window.
pub(super) async fn usage(desk: &Desk, uid: &Uid, window: Counters) -> Result<Usage> {
    let [app, api] = desk.names(uid).usages(window);
    Ok(Usage { app: value(desk, &app).await?, api: value(desk, &api).await? })
}

/// Every billing cycle in the account's index, oldest first.
pub(super) async fn cycles(desk: &Desk, uid: &Uid) -> Result<Vec<(UnixSeconds, Usage)>> {
    let index = desk.names(uid).cycle_index();
    let starts: Vec<i64> = desk.line.command(cmd("ZRANGE").arg(index).arg(0).arg(-1)).await?;
    let mut cycles = Vec::with_capacity(starts.len());
    for start in starts.into_iter().map(UnixSeconds) {
        cycles.push((start, usage(desk, uid, Counters::Cycle(start)).await?));
    }
    Ok(cycles)
}

/// Holds open now. On a Cluster, where no step reaches every account, the accounts are walked over.
pub(super) async fn holds_open(desk: &Desk, now: UnixMicros) -> Result<u64> {
    let open = |name: &str| {
        let mut count = cmd("ZCOUNT");
        count.arg(name).arg(format!("({}", now.0)).arg("+inf");
        count
    };
    match desk.style {
        KeyStyle::Plain => desk.line.command(&open(keys::OPEN_HOLDS)).await,
        KeyStyle::Hashtag => {
            let mut names = scan(&desk.line, keys::ANY_LEASES, "zset").await?;
            names.sort_unstable();
            names.dedup();
            let mut total = 0;
            for name in names {
                total += desk.line.command::<u64>(&open(&name)).await?;
            }
            Ok(total)
        }
    }
}

/// Puts the cycles that other software has counted into their accounts' indexes: once for each store, in the background.
pub(super) async fn index_cycles(line: Line, style: KeyStyle) -> Result<()> {
    if line.command::<Option<String>>(cmd("GET").arg(keys::CYCLES_INDEXED)).await?.is_some() {
        return Ok(());
    }
    let mut indexed = 0;
    for name in scan(&line, keys::ANY_CYCLE, "string").await? {
        let Some((uid, start)) = keys::cycle_named(&name) else { continue };
        let index = AccountNames::styled(&uid, style).cycle_index();
        indexed += line.command::<u64>(cmd("ZADD").arg(index).arg(start.0).arg(start.0)).await?;
    }
    let () = line.command(cmd("SET").arg(keys::CYCLES_INDEXED).arg(1)).await?;
    info!(indexed, "billing cycles that other software had counted are in their accounts' indexes");
    Ok(())
}
