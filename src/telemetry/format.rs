//! Writes events as lines: for people, or as JSON. Whatever a value holds, an event is one line and no value looks like
//! another field.

#[cfg(test)]
mod tests;

use crate::{
    clock::Clock,
    domain::time::{Day, UnixMicros},
};
use std::{
    cell::RefCell,
    fmt::{self, Write as _},
    io::Write,
    sync::atomic::{AtomicBool, Ordering},
};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

/// The form of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// For people.
    Text,
    /// For people at a terminal.
    Coloured,
    /// One JSON object.
    Json,
}

/// Writes each event as a line to standard error.
pub(super) struct Lines {
    /// Whether lines are JSON. It may change while lines are written.
    pub(super) json: &'static AtomicBool,
    /// The form of lines that are not.
    pub(super) otherwise: Form,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        thread_local! {
            static LINE: RefCell<String> = const { RefCell::new(String::new()) };
        }
        let form = if self.json.load(Ordering::Relaxed) { Form::Json } else { self.otherwise };
        LINE.with(|line| {
            // A value that logs while it is written finds the line in use.
            let Ok(mut line) = line.try_borrow_mut() else { return };
            line.clear();
            write_event(&mut line, form, event, Clock::Own.now());
            // Nobody can be told that the log cannot be written.
            let _ = std::io::stderr().lock().write_all(line.as_bytes());
        });
    }
}

/// Writes the whole line, with its end.
fn write_event(out: &mut String, form: Form, event: &Event<'_>, now: UnixMicros) {
    let level = *event.metadata().level();
    match form {
        Form::Json => {
            out.push_str("{\"timestamp\":\"");
            put_moment(out, now);
            let _ = write!(out, "\",\"level\":\"{level}\"");
        }
        Form::Text | Form::Coloured => {
            put_moment(out, now);
            let (on, off) = if form == Form::Coloured { (colour(level), "\u{1b}[0m") } else { ("", "") };
            let _ = write!(out, " {on}{:>5}{off}", level.as_str());
        }
    }
    event.record(&mut Fields { out, form });
    out.push_str(if form == Form::Json { "}\n" } else { "\n" });
}

/// Writes the fields of an event. Writing to a string cannot fail.
struct Fields<'a> {
    out: &'a mut String,
    form: Form,
}

impl Fields<'_> {
    fn name(&mut self, field: &Field) {
        match self.form {
            Form::Json => {
                self.out.push(',');
                put_quoted(self.out, field.name());
                self.out.push(':');
            }
            Form::Text => {
                let _ = write!(self.out, " {}=", field.name());
            }
            Form::Coloured => {
                let _ = write!(self.out, " \u{1b}[2m{}=\u{1b}[0m", field.name());
            }
        }
    }

    fn number(&mut self, field: &Field, number: fmt::Arguments<'_>) {
        self.name(field);
        let _ = self.out.write_fmt(number);
    }

    fn text(&mut self, field: &Field, text: &str) {
        let message = field.name() == "message";
        match self.form {
            Form::Text | Form::Coloured if message => {
                self.out.push(' ');
                text.chars().for_each(|c| put_visible(self.out, c));
            }
            Form::Text | Form::Coloured if is_plain(text) => {
                self.name(field);
                self.out.push_str(text);
            }
            Form::Text | Form::Coloured | Form::Json => {
                self.name(field);
                put_quoted(self.out, text);
            }
        }
    }
}

impl Visit for Fields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        // With its point even if it is whole, so that readers see one type. JSON knows no other numbers.
        if value.is_finite() {
            self.number(field, format_args!("{value:?}"));
        } else {
            self.number(field, format_args!("null"));
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.number(field, format_args!("{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field, format_args!("{value}"));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.number(field, format_args!("{value}"));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.number(field, format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.number(field, format_args!("{value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, &format!("{value:?}"));
    }
}

/// Whether the text may stand without quotes and cannot be taken for anything else.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:/@+,%[]*".contains(c))
}

/// A string in JSON, in which no character is one that a terminal or an editor would act on.
fn put_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            _ => put_visible(out, c),
        }
    }
    out.push('"');
}

/// The character, or its escape in JSON if it is a control character, ends a line, changes the direction of text, or
/// has no width.
fn put_visible(out: &mut String, c: char) {
    let acts = matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    );
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ if c.is_control() || acts => {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        }
        _ => out.push(c),
    }
}

/// The moment as in RFC 3339, in UTC.
fn put_moment(out: &mut String, now: UnixMicros) {
    let Day { year, month, day } = now.seconds().date();
    let second = now.seconds().0.rem_euclid(86_400);
    let (hour, minute, second, micros) = (second / 3_600, second / 60 % 60, second % 60, now.0.rem_euclid(1_000_000));
    let _ = write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z");
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\u{1b}[31m",
        Level::WARN => "\u{1b}[33m",
        Level::INFO => "\u{1b}[32m",
        Level::DEBUG => "\u{1b}[34m",
        Level::TRACE => "\u{1b}[35m",
    }
}
