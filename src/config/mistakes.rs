//! The mistakes of a configuration, each with its path.

use std::fmt;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The setting's path, such as `plans.Free.burst.size`, or the file.
    pub path: String,
    /// The fault. It never holds a secret's value.
    pub fault: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.fault)
    }
}

/// Every mistake of a configuration; at least one. Shown one a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<Mistake>);

impl ConfigErrors {
    pub(super) fn one(path: impl fmt::Display, fault: impl fmt::Display) -> Self {
        Self(vec![Mistake { path: path.to_string(), fault: fault.to_string() }])
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
