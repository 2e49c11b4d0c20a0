//! The form of `POST /rmbg`: the content of a valid one (contract, section 1).

mod colour;
mod fields;
mod image;
mod reader;
#[cfg(test)]
mod tests;

pub use fields::{MAX_ANGLE, NAMES};
pub use image::ImageCheck;
pub use reader::FormReader;

use super::{complaint::Complaint, image_header::ImageHeader};
use bytes::Bytes;

/// Bytes of the longest body that is read at all. Bytes beyond a limit are counted and thrown away.
pub const MAX_BODY: u64 = 128 * 1024 * 1024;
/// Bytes of the largest image.
pub const MAX_IMAGE: u64 = 50 * 1024 * 1024;
/// Pixels of the widest and of the highest image, and of the largest one that can be asked for.
pub const MAX_PIXELS: u32 = 10_000;
/// Bytes of the values of all fields that are kept, together. Of a field that exceeds this, nothing is kept.
pub const MAX_FIELDS: usize = 64 * 1024;
/// How many fields that the contract does not know are passed on; the first ones are.
pub const MAX_UNKNOWN: usize = 128;

/// A valid form. The reader of the body keeps the image's bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    /// The `image` part.
    pub image: ImagePart,
    /// The fields to pass on, in the order sent: those that the contract knows, each once, if they are set; and texts
    /// that cannot be taken for one of them.
    pub fields: Vec<Field>,
    /// How many of `fields` were sent before the image.
    pub fields_before_image: usize,
    /// The meaning of the fields.
    pub output: Output,
}

/// The `image` part without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagePart {
    /// Decoded, otherwise as sent, paths and quotes included; has no control character.
    pub filename: String,
    /// The size and kind by the file's signature.
    pub header: ImageHeader,
    /// Length in bytes.
    pub size: u64,
}

/// A text to pass on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Of ASCII letters, digits, `_`, `-` and `.`.
    pub name: String,
    /// The content type of a text that the contract does not know, if it is a type of texts. Some readers take a part
    /// of another type for a file, whatever its name, or for several parts.
    pub content_type: Option<String>,
    /// The value as sent. Of a field that the contract knows, the value as it was judged: without the white space
    /// around it.
    pub value: Bytes,
}

/// The meaning of the fields, defaults filled in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Output {
    /// Output format.
    pub format: OutputFormat,
    /// Target width in pixels, 1–10000.
    pub w: Option<u32>,
    /// Target height in pixels, 1–10000.
    pub h: Option<u32>,
    /// Force exactly `w` × `h`.
    pub exact_resize: bool,
    /// Return only the alpha mask.
    pub mask: bool,
    /// Put this behind the subject.
    pub bg_color: Option<Rgba>,
    /// Degrees, counter-clockwise, −360 to 360.
    pub angle: f64,
    /// Pad, so that a rotated picture is not cropped.
    pub expand: bool,
}

impl Default for Output {
    /// That of a form with nothing but an image.
    fn default() -> Self {
        Self {
            format: OutputFormat::default(),
            w: None,
            h: None,
            exact_resize: false,
            mask: false,
            bg_color: None,
            angle: 0.0,
            expand: true,
        }
    }
}

/// The encoding of the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputFormat {
    /// The default.
    #[default]
    Webp,
    /// Portable Network Graphics.
    Png,
    /// JPEG; has no transparency.
    Jpeg,
    /// Windows bitmap.
    Bmp,
}

/// A colour, eight bits a channel, not premultiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rgba {
    /// Red.
    pub r: u8,
    /// Green.
    pub g: u8,
    /// Blue.
    pub b: u8,
    /// Opacity.
    pub a: u8,
}

/// Why a body is no valid form.
#[derive(Clone, Debug, PartialEq)]
pub enum FormError {
    /// Every fault, in the contract's order; at least one.
    Invalid(Vec<Complaint>),
    /// The multipart framing is broken or a bound on it is exceeded.
    Malformed,
    /// The body exceeds 128 MiB; or it has an image, and longer fields than are kept.
    TooLarge,
}
