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
    match store::keeps_left(&config.journal) {
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
    match store::keeps_set_aside(&config.journal) {
        Ok(0) => {}
        Ok(keeps) => {
            let says =
                format!("{keeps} served pictures were set aside in {shown}, because the store refused to count them.");
            let cure = "Read quarantine.jsonl there, correct the accounts it names, and remove it.";
            findings.push(Finding::warn(SUBJECT, says, cure));
        }
        // The same folder, with the same fault.
        Err(_) => {}
    }
    if findings.is_empty() {
        findings.push(Finding::ok(SUBJECT, format!("Nothing waits in {shown}.")));
    }
    findings
}
