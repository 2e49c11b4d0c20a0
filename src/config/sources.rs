//! The source of each setting: a line of the file, a variable of the environment, or neither.

use std::{collections::BTreeMap, fmt, ops::Range, path::PathBuf};
use toml::{
    Spanned, Value,
    de::{DeTable, DeValue},
};

/// Where a setting, or a mistake in one, was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line of the file, from 1.
    File {
        /// The file's absolute path.
        file: PathBuf,
        /// The line.
        line: usize,
    },
    /// A variable of the environment, by its name.
    Variable(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line } => write!(f, "{}, line {line}", file.display()),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// The places of everything that was written. It holds names and lines, and no values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    file: PathBuf,
    /// The line of each path, sections and items of lists included.
    lines: BTreeMap<String, usize>,
    /// The path of each value that a variable sets, and the variable's name.
    variables: Vec<(String, String)>,
    /// The same for whole sections.
    sections: Vec<(String, String)>,
    /// Variables whose names look like settings and that nothing reads.
    pub(super) strays: Vec<String>,
}

impl Sources {
    /// The lines of a file, from its text. A text that is not TOML has none.
    pub(super) fn of_file(file: PathBuf, text: &str) -> Self {
        let mut lines = BTreeMap::new();
        if let Ok(table) = DeTable::parse(text) {
            note_table(table.get_ref(), "", text, &mut lines);
        }
        Self { file, lines, ..Self::default() }
    }

    /// Notes the values that a variable sets.
    pub(super) fn note(&mut self, variable: &str, path: &str, value: &Value) {
        match value {
            Value::Table(table) => {
                self.sections.push((path.to_owned(), variable.to_owned()));
                table.iter().for_each(|(key, value)| self.note(variable, &format!("{path}.{key}"), value));
            }
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => self.variables.push((path.to_owned(), variable.to_owned())),
        }
    }

    /// Where the value of a setting was written; `None` for a default.
    #[must_use]
    pub fn place(&self, path: &str) -> Option<Place> {
        self.variable(|known| contains(known, path)).or_else(|| self.line(path))
    }

    /// The place for a mistake: the setting's, else that of something inside it, else that of the section around it.
    #[must_use]
    pub(super) fn nearest(&self, path: &str) -> Option<Place> {
        let around = std::iter::successors(Some(path), |path| Some(&path[..path.rfind(['.', '['])?]));
        let section = self.sections.iter().find(|(known, _)| contains(known, path));
        self.place(path)
            .or_else(|| self.variable(|known| contains(path, known)))
            .or_else(|| section.map(|(_, name)| Place::Variable(name.clone())))
            .or_else(|| around.skip(1).find_map(|path| self.line(path)))
    }

    /// The place of something inside a setting that is written in parts.
    pub(super) fn nearest_inside(&self, path: &str) -> Option<Place> {
        let line = self.lines.keys().find(|known| contains(path, known));
        self.variable(|known| contains(path, known)).or_else(|| self.line(line?))
    }

    fn variable(&self, matches: impl Fn(&str) -> bool) -> Option<Place> {
        let found = self.variables.iter().find(|(path, _)| matches(path));
        found.map(|(_, name)| Place::Variable(name.clone()))
    }

    fn line(&self, path: &str) -> Option<Place> {
        self.lines.get(path).map(|line| Place::File { file: self.file.clone(), line: *line })
    }
}

/// Whether the path `inner` is `outer` or inside it.
pub(super) fn contains(outer: &str, inner: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn note_table(table: &DeTable<'_>, above: &str, text: &str, lines: &mut BTreeMap<String, usize>) {
    for (key, value) in table {
        let path = if above.is_empty() { key.get_ref().to_string() } else { format!("{above}.{}", key.get_ref()) };
        note_value(value, path, line(text, &key.span()), text, lines);
    }
}

fn note_value(value: &Spanned<DeValue<'_>>, path: String, at: usize, text: &str, lines: &mut BTreeMap<String, usize>) {
    match value.get_ref() {
        DeValue::Table(table) => note_table(table, &path, text, lines),
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                note_value(item, format!("{path}[{index}]"), line(text, &item.span()), text, lines);
            }
        }
        DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {}
    }
    lines.insert(path, at);
}

/// The line of a span, from 1.
pub(super) fn line(text: &str, span: &Range<usize>) -> usize {
    text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_found_where_it_was_written_and_a_missing_one_in_its_section() {
        let text = "a = 1\n\n[b]\nc = { d = 2 }\nlist = [\n  1,\n  2,\n]\n[[b.more]]\nx = 1\n[[b.more]]\nx = 2\n";
        let mut sources = Sources::of_file("/f".into(), text);
        let value: Value = "{ y = 1, z = { w = 2 } }".parse().unwrap();
        sources.note("V", "v", &value);
        let at = |line| Some(Place::File { file: "/f".into(), line });
        for (path, exact, nearest) in [
            ("a", at(1), at(1)),
            ("b.c.d", at(4), at(4)),
            ("b.list[1]", at(7), at(7)),
            ("b.more[1].x", at(12), at(12)),
            ("b.more[1].y", None, at(11)),
            ("b.none", None, at(3)),
            ("none", None, None),
            ("v.y", Some(Place::Variable("V".into())), Some(Place::Variable("V".into()))),
            ("v.z.w", Some(Place::Variable("V".into())), Some(Place::Variable("V".into()))),
            ("v.other", None, Some(Place::Variable("V".into()))),
            ("v", None, Some(Place::Variable("V".into()))),
        ] {
            assert_eq!((sources.place(path), sources.nearest(path)), (exact, nearest), "{path}");
        }
    }
}
