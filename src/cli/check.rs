//! `check`

use super::{Failure, Report, Session};
use crate::config::{Config, Warning};
use serde::Serialize;

#[derive(Serialize)]
struct Checked<'a> {
    #[serde(flatten)]
    settings: &'a Config,
    warnings: Vec<Warning>,
}

/// Shows the warnings and the settings in effect. A configuration that could be loaded has no mistakes.
pub(super) fn run(session: &Session) -> Result<Report, Failure> {
    let settings = toml::to_string(&session.config).map_err(|error| Failure::Report(error.to_string()))?;
    let warnings = session.config.warnings();
    let mut words: Vec<_> = warnings.iter().map(|warning| format!("# Warning: {warning}")).collect();
    words.push(format!("# No mistakes. These settings are in effect:\n\n{}", settings.trim_end()));
    Report::new(words.join("\n"), Checked { settings: &session.config, warnings })
}
