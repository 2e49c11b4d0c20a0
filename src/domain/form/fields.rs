//! The rules of the fields beside the image (contract, section 1).
//!
//! A value is read without the white space around it, and echoed as it was sent. An empty value is not set. A value of
//! white space alone is set, and wrong.

use super::{Field, MAX_PIXELS, Output, OutputFormat, Rgba};
use crate::domain::complaint::Complaint;
use std::{borrow::Cow, num::IntErrorKind};

/// The longest name of an unknown text that is passed on.
const MAX_NAME: usize = 64;
const MAX_CONTENT_TYPE: usize = 128;

/// The one field that is a file.
pub(super) const IMAGE: &str = "image";

/// Every field that the contract knows but `image`, in its order.
pub const NAMES: [&str; 8] = ["w", "h", "angle", "format", "bg_color", "mask", "exact_resize", "expand"];

/// Degrees in either direction.
pub const MAX_ANGLE: f64 = 360.0;

/// Whether the contract gives the field a meaning.
pub(super) fn is_known(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Whether a text that the contract does not know may be passed on under this name: no reader may take it for a field
/// that was judged.
pub(super) fn may_pass(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let is_known = || NAMES.iter().chain([&IMAGE]).any(|known| folded(name).eq(folded(known)));
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(is_plain) && !is_known()
}

/// A name as lenient readers compare it.
fn folded(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().filter(|byte| !b"_-.".contains(byte)).map(|byte| byte.to_ascii_lowercase())
}

/// The content type of such a text, if it is a type of texts.
pub(super) fn text_type(content_type: Option<String>) -> Option<String> {
    content_type.filter(|sent| {
        let begins = |start: &str| sent.get(..start.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(start));
        let is_text = begins("text/") || begins("application/json");
        is_text && sent.len() <= MAX_CONTENT_TYPE && sent.bytes().all(|byte| matches!(byte, b' '..=b'~'))
    })
}

/// Replaces the value of a field that the contract knows with the value that was judged. Returns whether the field is
/// set, and so passed on.
pub(super) fn keep_as_judged(field: &mut Field) -> bool {
    if is_known(&field.name) {
        field.value = field.value.slice_ref(field.value.trim_ascii());
        return !field.value.is_empty();
    }
    true
}

/// The meaning of the fields, and every fault in the contract's order. A field with a fault counts as not set.
pub(super) fn judge(fields: &[Field]) -> (Output, Vec<Complaint>) {
    let mut reading = Reading { fields, complaints: Vec::new() };
    let w = reading.field("w", pixels).flatten();
    let h = reading.field("h", pixels).flatten();
    let angle = reading.field("angle", degrees).unwrap_or_default();
    let format = reading.field("format", output_format).unwrap_or_default();
    let bg_color = reading.field("bg_color", colour);
    let mask = reading.field("mask", boolean).unwrap_or_default();
    if mask && reading.sent("bg_color").is_some() {
        reading.complaints.push(Complaint::MaskWithColour);
    }
    let exact_resize = reading.field("exact_resize", boolean).unwrap_or_default();
    let expand = reading.field("expand", boolean).unwrap_or(true);
    (Output { format, w, h, exact_resize, mask, bg_color, angle, expand }, reading.complaints)
}

struct Reading<'a> {
    fields: &'a [Field],
    complaints: Vec<Complaint>,
}

impl<'a> Reading<'a> {
    /// The field's meaning by `rule`, which gets its name and its value as sent.
    fn field<T>(&mut self, name: &'static str, rule: fn(&'static str, &str) -> Result<T, Complaint>) -> Option<T> {
        let sent = self.sent(name)?;
        rule(name, &sent).map_err(|complaint| self.complaints.push(complaint)).ok()
    }

    /// The field's value as sent, if it is set.
    fn sent(&self, name: &str) -> Option<Cow<'a, str>> {
        let field = self.fields.iter().find(|field| field.name == name)?;
        Some(String::from_utf8_lossy(&field.value)).filter(|value| !value.is_empty())
    }
}

/// 1 to [`MAX_PIXELS`]; zero, however it is written, is not set.
fn pixels(field: &'static str, sent: &str) -> Result<Option<u32>, Complaint> {
    let below = || Complaint::BelowRange(field, 1, sent.into());
    let above = || Complaint::AboveRange(field, MAX_PIXELS.into(), sent.into());
    match sent.trim_ascii().parse::<i64>() {
        Ok(0) => Ok(None),
        Ok(..0) => Err(below()),
        Ok(number) => u32::try_from(number).ok().filter(|pixels| *pixels <= MAX_PIXELS).map(Some).ok_or_else(above),
        Err(error) if *error.kind() == IntErrorKind::NegOverflow => Err(below()),
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => Err(above()),
        Err(_) => Err(Complaint::NotAnInteger(field, sent.into())),
    }
}

/// A number that is too large for a double is not a number, like `inf`.
fn degrees(field: &'static str, sent: &str) -> Result<f64, Complaint> {
    match sent.trim_ascii().parse::<f64>() {
        Ok(degrees) if degrees.abs() <= MAX_ANGLE => Ok(degrees),
        Ok(degrees) if degrees.is_finite() => Err(Complaint::AngleOutOfRange(degrees)),
        _ => Err(Complaint::NotANumber(field, sent.into())),
    }
}

fn output_format(_: &'static str, sent: &str) -> Result<OutputFormat, Complaint> {
    match sent.trim_ascii().to_ascii_lowercase().as_str() {
        "webp" => Ok(OutputFormat::Webp),
        "png" => Ok(OutputFormat::Png),
        "jpeg" => Ok(OutputFormat::Jpeg),
        "bmp" => Ok(OutputFormat::Bmp),
        _ => Err(Complaint::BadFormat(sent.into())),
    }
}

fn colour(_: &'static str, sent: &str) -> Result<Rgba, Complaint> {
    Rgba::parse(sent.trim_ascii()).ok_or_else(|| Complaint::BadColour(sent.into()))
}

fn boolean(field: &'static str, sent: &str) -> Result<bool, Complaint> {
    match sent.trim_ascii().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(Complaint::NotABoolean(field, sent.into())),
    }
}
