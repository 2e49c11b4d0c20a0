//! The list of all metrics for people: `docs/metrics.md` is what this makes.

use super::{
    entry::{Entry, Kind, Values},
    table::ENTRIES,
};
use std::fmt::Write as _;

const HEAD: &str = "\
# Metrics

The admin listener serves these at `/metrics` in Prometheus's text format. This list is made from the table in
`src/telemetry/table.rs`.

Labels come from closed sets: no account, key, address of a caller or path is ever one. Combinations that can occur
exist from the start with 0, so a rate of something that never happened is 0. A counter is of this process and starts
at 0 with it. Times are in seconds, sizes in bytes. Beside these there are the `process_*` metrics that Prometheus's
client libraries have in common: CPU seconds, memory, file descriptors, threads, start time.

A gauge with `limit` in its name is the limit of the gauge that is listed before it: their quotient is the saturation.
";

/// The whole list, in Markdown.
fn document() -> String {
    let mut text = HEAD.to_owned();
    let mut section = "";
    for entry in ENTRIES {
        if entry.section != section {
            section = entry.section;
            // Writing to a string cannot fail.
            let _ = write!(text, "\n## {section}\n");
        }
        write_entry(&mut text, entry);
    }
    text
}

fn write_entry(text: &mut String, entry: &Entry) {
    let labels: Vec<&str> = entry.labels.iter().map(|label| label.name).collect();
    let labels_text = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    let _ =
        write!(text, "\n### `{}{labels_text}`\n\n{}. {}\n", entry.name, capitalised(entry.kind.as_str()), entry.help);
    if !entry.labels.is_empty() {
        text.push('\n');
    }
    for label in entry.labels {
        let values = match label.values {
            Values::Closed(values) => values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(" "),
            Values::Configured(what) => what.to_owned(),
        };
        let _ = writeln!(text, "- `{}`: {values}", label.name);
    }
    if !entry.buckets.is_empty() {
        let bounds: Vec<String> = entry.buckets.iter().map(ToString::to_string).collect();
        let _ = write!(text, "\nUpper bounds of its buckets: {}.\n", bounds.join(", "));
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{env, fs};

    /// `UPDATE_DOCS=1 cargo test --lib telemetry::document` writes it.
    #[test]
    fn the_list_in_the_docs_is_what_this_makes() {
        let (path, made) = ("docs/metrics.md", document());
        if env::var_os("UPDATE_DOCS").is_some() {
            fs::write(path, &made).unwrap();
        }
        let stands = fs::read_to_string(path).unwrap_or_default();
        assert!(stands == made, "docs/metrics.md is out of date: UPDATE_DOCS=1 cargo test --lib telemetry::document");
    }

    #[test]
    fn the_table_keeps_to_its_own_rules() {
        for entry in ENTRIES {
            assert!(entry.name.starts_with("rgw_"), "{}", entry.name);
            assert!(entry.labels.len() <= 3, "{} has more than three labels", entry.name);
            assert!(entry.buckets.len() <= 15, "{} has more than 16 buckets", entry.name);
            assert!(entry.buckets.is_sorted() && entry.buckets.first().is_none_or(|least| *least >= 0.000_05));
            assert!(entry.help.ends_with('.') && !entry.help.contains("  "), "{}: {:?}", entry.name, entry.help);
            assert_eq!(entry.kind == Kind::Histogram, !entry.buckets.is_empty(), "{}", entry.name);
            assert_eq!(entry.kind == Kind::Counter, entry.name.ends_with("_total"), "{}", entry.name);
        }
    }

    #[test]
    fn a_limit_stands_behind_its_gauge_and_has_the_same_labels() {
        let labels = |entry: &Entry| entry.labels.iter().map(|label| label.name).collect::<Vec<_>>();
        let pairs = ENTRIES.iter().zip(&ENTRIES[1..]).filter(|(_, limit)| limit.name.contains("_limit"));
        assert_eq!(pairs.clone().count(), 6);
        for (gauge, limit) in pairs {
            assert_eq!((gauge.kind, labels(gauge)), (Kind::Gauge, labels(limit)), "{}", limit.name);
        }
    }
}
