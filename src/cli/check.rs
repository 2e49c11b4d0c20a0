//! `check`

use super::{Desk, Failure, Report};

/// Shows the settings in effect. That there is a configuration to show means that it has no mistakes.
pub(super) fn run(desk: &Desk) -> Result<Report, Failure> {
    let settings = toml::to_string(&desk.config).map_err(|error| Failure::Report(error.to_string()))?;
    Report::new(format!("# No mistakes. These settings are in effect:\n\n{}", settings.trim_end()), &desk.config)
}
