//! The dialect of remove.bg's API, pure: what `POST /v1.0/removebg` asks for, what is said against it, and what
//! `GET /v1.0/account` answers.

mod account;
mod errors;
mod file;
mod parameters;
mod reader;
#[cfg(test)]
mod tests;

pub use account::AccountAnswer;
pub use errors::{ErrorEntry, errors};
pub use file::{FileCheck, PictureFile};
pub use parameters::NAMES;
pub use reader::{OrderError, OrderReader, Piece};

use super::{composition::Composition, picture_url::PictureUrl};

/// Pixels of the largest picture, whatever the backend takes.
pub const MOST_PIXELS: u64 = 50_000_000;

/// A valid request. The files' bytes are kept by whoever read the body.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// The picture.
    pub source: Source,
    /// The picture to put behind the subject; the composition says so too.
    pub background: Option<Source>,
    /// What is made of the cut-out.
    pub composition: Composition,
    /// Whether the answer names the type of the subject.
    pub names_type: bool,
    /// The names of the parameters that mean nothing here, in the order sent.
    pub ignored: Vec<String>,
}

/// Where a picture is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In the body.
    File(PictureFile),
    /// At this address.
    Url(PictureUrl),
}
