//! Reads JSON by pointer. A value that is absent, null or of another type is `None`.

use super::Span;
use crate::domain::time::UnixSeconds;
use serde_json::Value;

#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a Value);

impl<'a> Reader<'a> {
    pub(super) fn at(self, pointer: &str) -> Option<Self> {
        self.0.pointer(pointer).filter(|value| !value.is_null()).map(Self)
    }

    /// Text that is not empty.
    pub(super) fn text(self, pointer: &str) -> Option<&'a str> {
        self.0.pointer(pointer)?.as_str().filter(|text| !text.is_empty())
    }

    /// The id of an object, which may be given as the id or as the expanded object.
    pub(super) fn id(self, pointer: &str) -> Option<String> {
        let found = self.at(pointer)?;
        found.text("").or_else(|| found.text("/id")).map(str::to_owned)
    }

    pub(super) fn integer(self, pointer: &str) -> Option<i64> {
        self.0.pointer(pointer)?.as_i64()
    }

    pub(super) fn moment(self, pointer: &str) -> Option<UnixSeconds> {
        self.integer(pointer).map(UnixSeconds)
    }

    pub(super) fn flag(self, pointer: &str) -> bool {
        self.0.pointer(pointer).and_then(Value::as_bool).unwrap_or(false)
    }

    pub(super) fn list(self, pointer: &str) -> impl Iterator<Item = Self> + 'a {
        self.0.pointer(pointer).and_then(Value::as_array).into_iter().flatten().map(Self)
    }

    /// A period that has both its bounds, in order.
    pub(super) fn span(self, start: &str, end: &str) -> Option<Span> {
        let span = Span { start: self.moment(start)?, end: self.moment(end)? };
        (span.start < span.end).then_some(span)
    }
}
