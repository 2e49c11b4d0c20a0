//! The mistakes of a configuration, each with its place and its path.

use super::sources::Place;
use std::fmt;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The setting's path, such as `plans.Free.burst.size`, or the file if none of it could be read; empty for a fault of
    /// the file's form.
    pub path: String,
    /// The fault. It never holds a secret's value.
    pub fault: String,
    /// The place where it was written, or the section in which something is missing.
    pub place: Option<Place>,
    /// The value, if it may be shown and the fault does not show it.
    pub value: Option<String>,
}

impl Mistake {
    /// A mistake whose place is not known yet.
    pub(super) fn new(path: impl Into<String>, fault: impl Into<String>) -> Self {
        Self { path: path.into(), fault: fault.into(), place: None, value: None }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.fault)?;
        match &self.value {
            Some(value) => write!(f, " (it is {value})"),
            None => Ok(()),
        }
    }
}

/// Every mistake of a configuration; at least one. Shown one a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<Mistake>);

impl ConfigErrors {
    pub(super) fn one(path: impl fmt::Display, fault: impl fmt::Display) -> Self {
        Self(vec![Mistake::new(path.to_string(), fault.to_string())])
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (line, mistake) in self.0.iter().enumerate() {
            if line > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
