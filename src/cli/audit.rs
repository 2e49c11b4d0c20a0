//! `audit`

use super::{Desk, Failure, Report, input, table::table};
use crate::{domain::caller::Uid, store::Audit};
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct AuditCommand {
    /// One account; without it, every account
    #[arg(value_parser = input::uid)]
    uid: Option<Uid>,
}

impl AuditCommand {
    pub(super) async fn run(self, desk: &Desk) -> Result<Report, Failure> {
        let audits = desk.admin().await?.audit(self.uid.as_ref()).await?;
        let good = audits.iter().all(|audit| audit.differences.is_empty());
        Ok(Report::new(words(&audits), &audits)?.judged(good))
    }
}

fn words(audits: &[Audit]) -> String {
    let entries: u64 = audits.iter().map(|audit| audit.entries).sum();
    let differences = audits.iter().flat_map(|audit| audit.differences.iter().map(move |one| (audit, one)));
    let rows: Vec<_> = differences
        .map(|(audit, one)| {
            [audit.uid.to_string(), one.counter.clone(), one.stored.to_string(), one.ledger.to_string()]
        })
        .collect();
    let scope = format!("accounts: {}, ledger entries: {entries}", audits.len());
    if rows.is_empty() {
        return format!("Every counter is what the ledger adds up to ({scope}).");
    }
    format!("These differ ({scope}):\n\n{}", table(["ACCOUNT", "COUNTER", "STORED", "LEDGER"], &rows))
}
