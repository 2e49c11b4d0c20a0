//! `doctor`: checks everything that the gateway needs, changes nothing, and reports each finding: what is so, and what to do.

mod accounts;
mod backend;
mod gateway;
mod journal;
mod machine;
mod store;
mod redis_server;

use super::{
    Failure, Report, Session,
    finding::{Finding, are_good},
    local,
};
use serde_json::json;

/// Runs every check; exits 1 if one fails.
pub(super) async fn run(session: &Session) -> Result<Report, Failure> {
    let mut findings = vec![Finding::ok("configuration", "There are no mistakes in it.")];
    let warnings = session.config.warnings();
    findings.extend(warnings.iter().map(|warning| {
        Finding::warn("configuration", format!("{warning}."), "Change that setting, or leave it if it is meant.")
    }));
    findings.extend(local::look(session));
    findings.extend(store::look(session).await);
    findings.extend(redis_server::look(session).await);
    findings.extend(journal::look(&session.config.store));
    findings.extend(machine::look(&session.config));
    findings.extend(gateway::look(session).await);
    findings.extend(backend::look(&session.config.backend).await);
    let words: Vec<_> = findings.iter().map(Finding::lines).collect();
    let good = are_good(&findings);
    Ok(Report::new(words.join("\n"), json!({"good": good, "findings": findings}))?.judged(good))
}
