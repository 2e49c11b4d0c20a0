//! Judges a backend's answer: it is a picture, which costs a credit; an error about the form; an error about our key;
//! or nothing useful (contract, section 3).
//!
//! An answer is judged by its head and the [`BEGINNING`] of its body. Nothing else of it is looked at.

mod base64;
#[cfg(test)]
mod tests;
mod words;

pub use words::{KeyRefusal, LONGEST_WORDS, is_about_our_key, is_about_the_form, key_refusal};

use super::{form::Form, image_header::ImageKind};

/// Bytes from the start of a body by which it is judged. A body that does not show what it is within them is useless.
pub const BEGINNING: usize = 16 * 1024;

/// The status of an answer that holds only a part of the picture.
const PART: u16 = 206;

/// Some software puts this before a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The properties by which an answer is judged.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// Its status.
    pub status: u16,
    /// Its `Content-Type`.
    pub content_type: Option<&'a str>,
    /// The first bytes of its body, at least [`BEGINNING`] of them if it has so many. If those are blanks, the bytes
    /// after them.
    pub beginning: &'a [u8],
}

/// Why an answer is no picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPicture {
    /// The status is not one of a picture.
    #[error("its status is {0}")]
    Status(u16),
    /// The body is empty.
    #[error("its body is empty")]
    Empty,
    /// HTML, XML or SVG.
    #[error("it is a page, not a picture")]
    Page,
    /// The body is JSON without a picture, or JSON where no picture in base64 was asked for.
    #[error("it is JSON without a picture")]
    Json,
    /// Neither the type nor the signature is a picture's.
    #[error("neither its type nor its first bytes are a picture's")]
    Unknown,
}

/// Whether an answer is a picture. `base64` is whether the form [asked for base64](asks_for_base64).
pub fn is_picture(shown: Shown<'_>, base64: bool) -> Result<(), NoPicture> {
    let Shown { status, content_type, beginning } = shown;
    if !(200..300).contains(&status) || status == PART {
        return Err(NoPicture::Status(status));
    }
    let text = beginning.strip_prefix(BYTE_ORDER_MARK).unwrap_or(beginning).trim_ascii_start();
    match text.first() {
        _ if beginning.is_empty() => Err(NoPicture::Empty),
        Some(b'<') => Err(NoPicture::Page),
        Some(b'{') if base64 && base64::is_in_a_member(text) => Ok(()),
        Some(b'{') => Err(NoPicture::Json),
        _ if content_type.is_some_and(is_image_type) || ImageKind::by_signature(beginning).is_some() => Ok(()),
        _ if base64 && base64::is_picture(text) => Ok(()),
        _ => Err(NoPicture::Unknown),
    }
}

/// Whether the form asks for its picture as base64, in a field that the SDK sends and the contract has no rule for.
#[must_use]
pub fn asks_for_base64(form: &Form) -> bool {
    let is_true = |value: &[u8]| {
        let value = value.trim_ascii();
        ["true", "1", "yes", "on"].iter().any(|word| value.eq_ignore_ascii_case(word.as_bytes()))
    };
    form.fields.iter().any(|field| field.name == "return_base64" && is_true(&field.value))
}

/// Whether a list of codings, as in `Content-Encoding`, names none but `identity` and the `harmless` one.
#[must_use]
pub fn leaves_as_is(codings: &[u8], harmless: &str) -> bool {
    let does = |coding: &[u8]| {
        let coding = coding.trim_ascii();
        coding.is_empty() || ["identity", harmless].iter().any(|name| coding.eq_ignore_ascii_case(name.as_bytes()))
    };
    codings.split(|byte| *byte == b',').all(does)
}

fn is_image_type(content_type: &str) -> bool {
    let kind = content_type.trim_ascii_start().as_bytes();
    kind.len() > b"image/".len() && kind[..b"image/".len()].eq_ignore_ascii_case(b"image/")
}
