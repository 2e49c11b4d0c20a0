//! What a check has found: a sentence that says what, and one that says what to do.

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// The gateway works, but somebody should look.
    Warn,
    /// The gateway does not start, or does not serve.
    Fail,
}

impl Verdict {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) verdict: Verdict,
    pub(super) subject: &'static str,
    /// What is so: one sentence, or two.
    pub(super) says: String,
    /// What to do about it. Nothing, if all is well.
    #[serde(rename = "do", skip_serializing_if = "Option::is_none")]
    pub(super) cure: Option<String>,
}

impl Finding {
    pub(super) fn ok(subject: &'static str, says: impl Into<String>) -> Self {
        Self { verdict: Verdict::Ok, subject, says: says.into(), cure: None }
    }

    /// A failure, or a warning.
    pub(super) fn bad(fatal: bool, subject: &'static str, says: String, cure: &str) -> Self {
        if fatal { Self::fail(subject, says, cure) } else { Self::warn(subject, says, cure) }
    }

    pub(super) fn warn(subject: &'static str, says: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warn, subject, says: says.into(), cure: Some(cure.into()) }
    }

    pub(super) fn fail(subject: &'static str, says: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, subject, says: says.into(), cure: Some(cure.into()) }
    }

    /// Two columns and the sentences; what to do is on a line of its own.
    pub(super) fn lines(&self) -> String {
        let Self { verdict, subject, says, cure } = self;
        let first = format!("{:<4}  {subject:<13}  {says}", verdict.as_str());
        cure.as_ref().map_or_else(|| first.clone(), |cure| format!("{first}\n{:21}→ {cure}", ""))
    }
}

/// Whether nothing keeps the gateway from serving.
pub(super) fn are_good(findings: &[Finding]) -> bool {
    findings.iter().all(|one| one.verdict != Verdict::Fail)
}
