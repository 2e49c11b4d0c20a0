//! The command line's voice: answers to standard output, complaints to standard error.
//!
//! A reader that has gone, as in `usage | head`, is no failure: what was asked has been done.

use super::{Failure, Report};
use std::io::{self, Write as _};

/// Prints an answer: in words, or as one JSON value and nothing else.
pub(super) fn report(report: &Report, json: bool) {
    let value = report.value.as_ref().filter(|_| json).map(ToString::to_string);
    let text = value.as_ref().unwrap_or(&report.words);
    if !text.is_empty() {
        let _ = writeln!(io::stdout().lock(), "{text}");
    }
}

/// Prints why there is no answer, and what to do.
pub(super) fn failure(failure: &Failure) {
    let mut out = io::stderr().lock();
    let _ = writeln!(out, "rembg-gateway: {failure}");
    if let Some(hint) = failure.hint() {
        let _ = writeln!(out, "{hint}");
    }
}

/// Tells how far something is: beside the answer, so that scripts are not disturbed.
pub(super) fn progress(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Asks the person at the terminal for something; a script is not asked.
pub(super) fn prompt(text: &str) {
    if io::IsTerminal::is_terminal(&io::stdin()) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}
