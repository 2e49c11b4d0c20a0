//! W3C Trace Context: the trace that a request belongs to, read from and written as `traceparent`.

use std::num::{NonZeroU64, NonZeroU128};

/// The length of the header in version 00. Later versions begin with the same fields.
const LENGTH: usize = 55;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The only flag that is known here: whether somebody records the trace.
const SAMPLED: u128 = 1;

/// A request's place in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    id: NonZeroU128,
    span: NonZeroU64,
    sampled: bool,
}

impl Trace {
    /// A trace that begins with this request. It is marked as recorded, because our log records it; otherwise a service
    /// that follows its parent's decision would stop recording.
    #[must_use]
    pub fn begin(id: NonZeroU128, span: NonZeroU64) -> Self {
        Self { id, span, sampled: true }
    }

    /// The trace that a `traceparent` names, in which this request is `span`. `None` if the header is not exactly of the
    /// standard's form.
    #[must_use]
    pub fn continued(traceparent: &[u8], span: NonZeroU64) -> Option<Self> {
        let (fields, rest) = traceparent.split_at_checked(LENGTH)?;
        let fields: Vec<&[u8]> = fields.split(|byte| *byte == b'-').collect();
        let [version, id, parent, flags] = fields[..] else { return None };
        let (version, flags) = (number(version, 2)?, number(flags, 2)?);
        let ends_well = match version {
            0xff => false,
            0 => rest.is_empty(),
            _ => rest.first().is_none_or(|byte| *byte == b'-'),
        };
        let (id, parent) = (NonZeroU128::new(number(id, 32)?)?, number(parent, 16)?);
        (ends_well && parent != 0).then_some(Self { id, span, sampled: flags & SAMPLED != 0 })
    }

    /// The trace's id: 32 digits in hexadecimal.
    #[must_use]
    pub fn id(&self) -> String {
        let mut text = String::with_capacity(32);
        write(&mut text, self.id.get(), 32);
        text
    }

    /// The header for a request that this one causes.
    #[must_use]
    pub fn traceparent(&self) -> String {
        let mut text = String::with_capacity(LENGTH);
        text.push_str("00-");
        write(&mut text, self.id.get(), 32);
        text.push('-');
        write(&mut text, self.span.get().into(), 16);
        text.push_str(if self.sampled { "-01" } else { "-00" });
        text
    }
}

/// Writes the last digits of a number, so many of them, in hexadecimal.
fn write(text: &mut String, number: u128, digits: u32) {
    for at in (0..digits).rev() {
        let digit = (number >> (4 * at)) & 0xf;
        text.push(char::from(DIGITS[usize::try_from(digit).unwrap_or(0)]));
    }
}

/// A number of exactly so many digits, in hexadecimal and lower case.
fn number(text: &[u8], digits: usize) -> Option<u128> {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let text = Some(text).filter(|text| text.len() == digits && text.iter().all(is_digit))?;
    u128::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: NonZeroU64 = NonZeroU64::new(0xabc).unwrap();

    /// What a request to the backend carries after one with this header.
    fn passed_on(header: &str) -> Option<String> {
        Trace::continued(header.as_bytes(), SPAN).map(|trace| trace.traceparent())
    }

    #[test]
    fn a_well_formed_parent_is_continued_and_passed_on_in_version_00() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        for (header, flags) in [
            (format!("00-{id}-00f067aa0ba902b7-01"), "01"),
            (format!("00-{id}-00f067aa0ba902b7-00"), "00"),
            (format!("00-{id}-00f067aa0ba902b7-ff"), "01"),
            (format!("00-{id}-00f067aa0ba902b7-02"), "00"),
            (format!("01-{id}-00f067aa0ba902b7-01"), "01"),
            (format!("cc-{id}-00f067aa0ba902b7-01-what-the-future-will-be-like"), "01"),
            (format!("fe-{id}-00f067aa0ba902b7-00-"), "00"),
        ] {
            assert_eq!(passed_on(&header), Some(format!("00-{id}-0000000000000abc-{flags}")), "{header}");
        }
    }

    #[test]
    fn anything_else_begins_a_new_trace() {
        for header in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00F067AA0BA902B7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0A",
            "0A-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 ",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.more",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e47360-0f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473+-00f067aa0ba902b7-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
            "0-04bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0\u{661}",
        ] {
            assert_eq!(passed_on(header), None, "{header}");
        }
        let trace = Trace::begin(NonZeroU128::new(0x1f).unwrap(), SPAN);
        assert_eq!(trace.traceparent(), "00-0000000000000000000000000000001f-0000000000000abc-01");
        assert_eq!(trace.id(), "0000000000000000000000000000001f");
    }
}
