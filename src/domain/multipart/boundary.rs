//! The boundary that the `Content-Type` of a body announces.

use super::{Malformed, parameters};

/// The most characters of a boundary (RFC 2046, section 5.1.1).
pub const MAX_BOUNDARY: usize = 70;

/// The separator of a body's parts: 1 to [`MAX_BOUNDARY`] printable ASCII characters; the last one is not a space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary(Vec<u8>);

impl Boundary {
    /// The boundary that a `Content-Type` announces; `None` if it is not the type of a form. A form without a usable
    /// boundary cannot be read.
    pub fn announced(content_type: &str) -> Result<Option<Self>, Malformed> {
        let (kind, parameters) = parameters::split(content_type.as_bytes());
        if !kind.eq_ignore_ascii_case(b"multipart/form-data") {
            return Ok(None);
        }
        for parameter in parameters {
            let (name, value) = parameter?;
            if name.eq_ignore_ascii_case(b"boundary") {
                return Self::new(&value).map(Some);
            }
        }
        Err(Malformed)
    }

    /// The characters.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// More characters than the standard allows are taken, as other servers do; none that could end a line.
    fn new(text: &[u8]) -> Result<Self, Malformed> {
        let printable = text.iter().all(|byte| matches!(byte, b' '..=b'~'));
        if (1..=MAX_BOUNDARY).contains(&text.len()) && printable && !text.ends_with(b" ") {
            Ok(Self(text.to_vec()))
        } else {
            Err(Malformed)
        }
    }
}
