//! `audit`

use super::{Failure, Report, Session, input, table::table};
use crate::{domain::account::Uid, store::Audit};
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct AuditCommand {
    /// One account; without it, every account
    #[arg(value_parser = input::uid)]
    uid: Option<Uid>,
    /// Set one number of one account, named as audit shows it; afterwards the ledger agrees with it
    #[arg(long, num_args = 3, value_names = ["UID", "KEY", "N"], allow_hyphen_values = true, conflicts_with = "uid")]
    mend: Option<Vec<String>>,
}

impl AuditCommand {
    pub(super) async fn run(self, session: &Session) -> Result<Report, Failure> {
        let admin = session.admin().await?;
        let audits = match self.mend.as_deref() {
            Some([uid, key, number]) => {
                let uid = input::uid(uid).map_err(|error| Failure::Typed(format!("--mend: {error}")))?;
                let number =
                    input::credits_or_back(number).map_err(|error| Failure::Typed(format!("--mend: {error}")))?;
                vec![admin.mend(&uid, key, number).await?]
            }
            _ => admin.audit(self.uid.as_ref()).await?,
        };
        let good = audits.iter().all(Audit::is_good);
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
    let not_integers = audits.iter().flat_map(|audit| audit.not_integers.iter().map(move |one| (audit, one)));
    let not_integers: Vec<_> =
        not_integers.map(|(audit, one)| [audit.uid.to_string(), one.key.clone(), one.stands.clone()]).collect();
    let scope = format!("accounts: {}, ledger entries: {entries}", audits.len());
    let mut words = match (rows.is_empty(), not_integers.is_empty()) {
        (true, true) => format!("Every counter is what the ledger adds up to ({scope})."),
        (true, false) => format!("Every other counter is what the ledger adds up to ({scope})."),
        (false, _) => {
            format!("These differ ({scope}):\n\n{}", table(["ACCOUNT", "COUNTER", "STORED", "LEDGER"], &rows))
        }
    };
    if !not_integers.is_empty() {
        words.push_str("\n\nThese are not whole numbers, so their accounts are refused:\n\n");
        words.push_str(&table(["ACCOUNT", "KEY", "STANDS"], &not_integers));
        words.push_str("\n\nSet each with: rembg-gateway audit --mend ACCOUNT 'KEY' N");
    }
    words
}
