//! Plans: what an account may do, by the name of its membership.

use super::credit::Burst;
use serde::{Deserialize, Serialize};

/// One plan of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(expecting = "a section")]
pub struct Plan {
    /// Included credits per window; written to the account when the plan is assigned.
    pub credits: u64,
    /// The short-term limit of the account.
    pub burst: Burst,
    /// Whose pictures the backend takes first when there are more than it can: higher ones. 0 if not given.
    #[serde(default)]
    pub priority: u8,
    /// Pictures with more pixels are refused, however many the backend takes.
    #[serde(default)]
    pub max_pixels: Option<u64>,
}
