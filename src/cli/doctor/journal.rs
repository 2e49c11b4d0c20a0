//! Looks at the journal: served pictures that a Redis has not counted.

use crate::{cli::finding::Finding, config::StoreConfig, store};

const SUBJECT: &str = "journal";

/// Nothing for the embedded store, which needs no journal.
pub(super) fn look(config: &StoreConfig) -> Vec<Finding> {
    if config.sqlite_path().is_some() {
        return Vec::new();
    }
    let shown = config.journal.display();
    let mut findings = Vec::new();
    match store::keeps_waiting(&config.journal) {
        Ok(0) => {}
        Ok(keeps) => {
            let says =
                format!("The journal in {shown} has {keeps} served pictures that the store has not counted yet.");
            let cure =
                "They are counted while a gateway serves with this journal and the store answers; keep the folder.";
            findings.push(Finding::warn(SUBJECT, says, cure));
        }
        Err(fault) => {
            findings.push(Finding::fail(
                SUBJECT,
                format!("{fault}."),
                "Let the gateway's user read and write the folder.",
            ));
        }
    }
    // The same folder: a fault has been told.
    let set_aside = store::keeps_set_aside(&config.journal).unwrap_or_default();
    if set_aside > 0 {
        let says =
            format!("{set_aside} served pictures were set aside in {shown}, because the store refused to count them.");
        let cure = "Read quarantine.jsonl there, correct the accounts that it names, and remove it.";
        findings.push(Finding::warn(SUBJECT, says, cure));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(SUBJECT, format!("Nothing waits in {shown}.")));
    }
    findings
}
