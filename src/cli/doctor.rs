//! `doctor`: checks everything that the gateway needs, changes nothing, and reports each finding in one sentence.

mod backend;
mod machine;
mod store;
mod redis_server;

use super::{Failure, Report, Session};
use serde::Serialize;
use serde_json::json;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// As it should be.
    Ok,
    /// The gateway works, but somebody should look.
    Warn,
    /// The gateway does not start, or does not serve.
    Fail,
}

impl Verdict {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

/// The result of one check.
#[derive(Debug, Serialize)]
struct Finding {
    verdict: Verdict,
    subject: &'static str,
    says: String,
}

impl Finding {
    fn ok(subject: &'static str, says: impl Into<String>) -> Self {
        Self { verdict: Verdict::Ok, subject, says: says.into() }
    }

    fn warn(subject: &'static str, says: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warn, subject, says: says.into() }
    }

    fn fail(subject: &'static str, says: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, subject, says: says.into() }
    }
}

/// Runs every check; exits 1 if one fails.
pub(super) async fn run(session: &Session) -> Result<Report, Failure> {
    let mut findings = vec![Finding::ok("configuration", "There are no mistakes in it.")];
    let warnings = session.config.warnings();
    findings.extend(warnings.iter().map(|warning| Finding::warn("configuration", format!("{warning}."))));
    findings.extend(store::look(session).await);
    findings.extend(redis_server::look(session).await);
    findings.extend(machine::look(&session.config));
    findings.extend(backend::look(&session.config.backend).await);
    let line = |one: &Finding| format!("{:<4}  {:<13}  {}", one.verdict.as_str(), one.subject, one.says);
    let words: Vec<_> = findings.iter().map(line).collect();
    let good = findings.iter().all(|one| one.verdict != Verdict::Fail);
    Ok(Report::new(words.join("\n"), json!({"good": good, "findings": findings}))?.judged(good))
}
