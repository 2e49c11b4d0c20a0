//! `check`

use super::{
    Failure, Report, Session,
    finding::{Finding, Verdict, are_good},
    local,
};
use crate::config::{Config, Warning};
use serde::Serialize;

#[derive(Serialize)]
struct Checked<'a> {
    #[serde(flatten)]
    settings: &'a Config,
    warnings: Vec<Warning>,
    findings: &'a [Finding],
}

/// Shows the warnings, what is wrong on this machine, and the settings in effect. A configuration that could be loaded has
/// no mistakes. Asks neither the store nor the network.
pub(super) fn run(session: &Session) -> Result<Report, Failure> {
    let settings = toml::to_string(&session.config).map_err(|error| Failure::Report(error.to_string()))?;
    let warnings = session.config.warnings();
    let findings = local::look(session);
    let mut words: Vec<_> = warnings.iter().map(|warning| format!("# Warning: {warning}")).collect();
    let bad = findings.iter().filter(|one| one.verdict != Verdict::Ok);
    words.extend(bad.flat_map(|one| one.lines().lines().map(|line| format!("# {line}")).collect::<Vec<_>>()));
    words.push(format!("# No mistakes in the settings. These are in effect:\n\n{}", settings.trim_end()));
    let good = are_good(&findings);
    Ok(Report::new(words.join("\n"), Checked { settings: &session.config, warnings, findings: &findings })?
        .judged(good))
}
