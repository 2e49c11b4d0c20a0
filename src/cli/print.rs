//! Prints reports to standard output, errors to standard error.
//!
//! A reader that closes the pipe, as in `usage | head`, is not a failure: the command has done its work.

use super::{Failure, Report};
use std::io::{self, Write as _};

/// Prints a report: as text, or as one JSON value and nothing else.
pub(super) fn report(report: &Report, json: bool) {
    let value = report.value.as_ref().filter(|_| json).map(ToString::to_string);
    let text = value.as_ref().unwrap_or(&report.words);
    if !text.is_empty() {
        let _ = writeln!(io::stdout().lock(), "{text}");
    }
}

/// Prints an error and its hint.
pub(super) fn failure(failure: &Failure) {
    let mut out = io::stderr().lock();
    let _ = writeln!(out, "rembg-gateway: {failure}");
    if let Some(hint) = failure.hint() {
        let _ = writeln!(out, "{hint}");
    }
}

/// Prints progress to standard error, so that scripts are not disturbed.
pub(super) fn progress(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Asks the person at the terminal for input. A script is not asked.
pub(super) fn prompt(text: &str) {
    if io::IsTerminal::is_terminal(&io::stdin()) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}
