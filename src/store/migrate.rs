//! Moves every account from one store to another, and checks that all of it has arrived.
//!
//! It can be interrupted at any moment and run again: records that have arrived are compared, missing ones are written.

use super::{
    Fault, Result,
    transfer::{AccountExport, Cursor, List, Transfer},
};
use crate::domain::account::Uid;
use futures_util::StreamExt as _;
use serde::Serialize;

/// Accounts that are moved at once, so that the embedded store commits several together.
const AT_ONCE: usize = 16;

/// The most characters of a value that are shown.
const SHOWN: usize = 60;

/// The result of a migration: how much was moved, and the differences.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Migration {
    /// Accounts that are at the target now.
    pub accounts: u64,
    /// Their keys.
    pub keys: u64,
    /// The entries of their ledgers.
    pub ledger_entries: u64,
    /// Stripe's events whose account is not known.
    pub parked_events: u64,
    /// Everything that differs, or could not be moved; empty is good.
    pub problems: Vec<Problem>,
}

/// One difference, or one thing that could not be moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The account, if it concerns one.
    pub account: Option<Uid>,
    /// The problem, in one sentence.
    pub says: String,
}

/// Moves everything. After each account, `progress` gets how many are done and how many there are.
///
/// [`Fault::Unusable`] if both are the same store, or if requests are in flight at the source.
pub async fn migrate(
    from: &dyn Transfer,
    to: &dyn Transfer,
    progress: &(dyn Fn(usize, usize) + Send + Sync),
) -> Result<Migration> {
    let place = at("target", to.place().await)?;
    if at("source", from.place().await)? == place {
        return Err(Fault::Unusable("source and target are the same store".into()));
    }
    let open = at("source", from.holds_open().await)?;
    if open > 0 {
        return Err(Fault::Unusable(format!(
            "{open} requests are in flight at the source; stop the gateways first (one that was killed leaves requests \
             behind which end by themselves, minutes later)"
        )));
    }
    let uids = at("source", from.uids().await)?;
    let (total, mut migration) = (uids.len(), Migration::default());
    let moves = uids.into_iter().map(|uid| async move {
        let moved = move_account(from, to, &uid).await;
        (uid, moved)
    });
    let mut moves = futures_util::stream::iter(moves).buffer_unordered(AT_ONCE);
    let mut done = 0;
    while let Some((uid, moved)) = moves.next().await {
        migration.count(&uid, moved)?;
        done += 1;
        progress(done, total);
    }
    drop(moves);
    move_parked(from, to, &mut migration).await?;
    if at("source", from.holds_open().await)? > 0 {
        migration.complain(None, "requests have come to the source meanwhile: stop the gateways, and begin again");
    }
    if at("target", to.place().await)? != place {
        migration.complain(None, "the target was started anew or replaced meanwhile: run the command again");
    }
    migration.problems.sort_by(|one, other| (&one.account, &one.says).cmp(&(&other.account, &other.says)));
    Ok(migration)
}

impl Migration {
    fn complain(&mut self, account: Option<&Uid>, says: impl Into<String>) {
        self.problems.push(Problem { account: account.cloned(), says: says.into() });
    }

    fn count(&mut self, uid: &Uid, moved: Result<(AccountExport, Vec<String>)>) -> Result<()> {
        match moved {
            Ok((export, problems)) => {
                self.accounts += 1;
                self.keys += u64::try_from(export.keys.len()).unwrap_or(u64::MAX);
                self.ledger_entries += export.ledger;
                for says in problems {
                    self.complain(Some(uid), says);
                }
                Ok(())
            }
            // This account cannot be moved; others can.
            Err(
                Fault::NotFound(says)
                | Fault::Insufficient(says)
                | Fault::TooLarge(says)
                | Fault::Taken(says)
                | Fault::Unusable(says)
                | Fault::Unexpected(says),
            ) => {
                self.complain(Some(uid), says);
                Ok(())
            }
            Err(fault @ (Fault::Unavailable(_) | Fault::Conflict(_))) => Err(fault),
        }
    }
}

/// The account as it was moved, and the differences at the target.
async fn move_account(from: &dyn Transfer, to: &dyn Transfer, uid: &Uid) -> Result<(AccountExport, Vec<String>)> {
    let gone = || Fault::NotFound(format!("account {uid} has disappeared from the source meanwhile"));
    let export = at("source", from.export(uid).await)?.ok_or_else(gone)?;
    for list in List::ALL {
        move_list(from, to, uid, list).await?;
    }
    at("target", to.import(&export).await)?;
    let mut problems = Vec::new();
    if at("source", from.export(uid).await)?.as_ref() != Some(&export) {
        problems.push("it has changed at the source meanwhile: stop the gateways, and begin again".into());
    }
    problems.extend(differences(from, to, &export).await?);
    Ok((export, problems))
}

async fn move_list(from: &dyn Transfer, to: &dyn Transfer, uid: &Uid, list: List) -> Result<()> {
    let (mut read, mut written) = (Cursor::default(), Cursor::default());
    loop {
        let part = at("source", from.export_part(uid, list, &read).await)?;
        if !part.records.is_empty() {
            written = at("target", to.import_part(uid, &part.records, &written).await)?;
        }
        match part.next {
            Some(next) => read = next,
            None => return Ok(()),
        }
    }
}

/// Everything at the target that differs from the source, or does not agree with its ledger there.
async fn differences(from: &dyn Transfer, to: &dyn Transfer, moved: &AccountExport) -> Result<Vec<String>> {
    let uid = &moved.account.uid;
    let Some(there) = at("target", to.export(uid).await)? else { return Ok(vec!["it is not at the target".into()]) };
    let mut problems: Vec<String> = moved
        .differences(&there)
        .into_iter()
        .map(|(name, source, target)| {
            format!("{name}: {} at the source, {} at the target", short(&source), short(&target))
        })
        .collect();
    if at("source", from.cycles(uid).await)? != at("target", to.cycles(uid).await)? {
        problems.push("its billing cycles differ".into());
    }
    let audit = at("target", to.audit(uid).await)?;
    if !audit.differences.is_empty() {
        let before = at("source", from.audit(uid).await)?;
        let known = if before.differences.is_empty() { "" } else { " (the source does not add up either)" };
        problems.extend(
            audit
                .differences
                .iter()
                .map(|one| format!("{} is {}, its ledger adds up to {}{known}", one.counter, one.stored, one.ledger)),
        );
    }
    Ok(problems)
}

/// Moves the parked events. Parking is idempotent, and so is this.
async fn move_parked(from: &dyn Transfer, to: &dyn Transfer, migration: &mut Migration) -> Result<()> {
    let events = at("source", from.parked().await)?;
    for event in &events {
        at("target", to.park(event).await)?;
    }
    let there = at("target", to.parked().await)?;
    for event in events {
        if there.contains(&event) {
            migration.parked_events += 1;
        } else {
            migration.complain(None, format!("the parked event {} is different at the target", event.id));
        }
    }
    Ok(())
}

/// Adds to a fault at which end it happened.
fn at<T>(end: &str, answer: Result<T>) -> Result<T> {
    answer.map_err(|fault| match fault {
        Fault::Unavailable(why) => Fault::Unavailable(format!("{why} (at the {end})")),
        Fault::Unexpected(what) => Fault::Unexpected(format!("{what} (at the {end})")),
        fault @ (Fault::NotFound(_)
        | Fault::Insufficient(_)
        | Fault::TooLarge(_)
        | Fault::Taken(_)
        | Fault::Unusable(_)
        | Fault::Conflict(_)) => fault,
    })
}

fn short(text: &str) -> String {
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    text.chars().take(SHOWN - 1).chain(['…']).collect()
}
