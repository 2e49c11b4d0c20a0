//! The report of a command.

use super::Failure;
use serde::Serialize;
use serde_json::Value;

/// A report, as text and as one JSON value.
#[derive(Debug)]
pub(super) struct Report {
    /// For people: lines, without a line end after the last; empty for none.
    pub(super) words: String,
    /// For programs; `None` for none.
    pub(super) value: Option<Value>,
    /// Whether all is well; otherwise the exit code is 1.
    pub(super) good: bool,
}

impl Report {
    /// A report that prints nothing.
    pub(super) fn silent() -> Self {
        Self { words: String::new(), value: None, good: true }
    }

    /// A report that all is well.
    pub(super) fn new(words: impl Into<String>, value: impl Serialize) -> Result<Self, Failure> {
        let value = serde_json::to_value(value).map_err(|error| Failure::Report(error.to_string()))?;
        Ok(Self { words: words.into(), value: Some(value), good: true })
    }

    /// The same report, with this verdict.
    pub(super) fn judged(self, good: bool) -> Self {
        Self { good, ..self }
    }
}
