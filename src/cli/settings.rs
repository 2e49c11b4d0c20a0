//! `config`

use super::{Failure, Report, Session};

/// Shows every setting, its value in effect and the source of that.
pub(super) fn run(session: &Session) -> Result<Report, Failure> {
    let told = |error: &dyn std::fmt::Display| Failure::Report(error.to_string());
    let words = session.config.annotated().map_err(|error| told(&error))?;
    let settings = session.config.settings().map_err(|error| told(&error))?;
    Report::new(words.trim_end(), settings)
}
