//! The queries and the names of metrics in the files that operators are given.

use serde_json::Value;
use std::{collections::BTreeSet, fs};

/// Every query of every dashboard, each with its place. Variables stand for everything, as they do at first.
pub(super) fn of_dashboards() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (name, text) in files("grafana/dashboards") {
        let board: Value = serde_json::from_str(&text).unwrap();
        for panel in board["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let place = format!("{name}, {}", panel["title"].as_str().unwrap());
                found.push((place, target["expr"].as_str().unwrap().to_owned()));
            }
        }
        for annotation in board["annotations"]["list"].as_array().unwrap() {
            found.push((format!("{name}, annotations"), annotation["expr"].as_str().unwrap().to_owned()));
        }
    }
    for (_, query) in &mut found {
        *query = query.replace("$__rate_interval", "5s").replace("$job", ".+").replace("$instance", ".+");
        assert!(!query.contains('$'), "{query}");
    }
    found
}

/// The names of metrics, ours and recorded ones, in the files of these folders.
pub(super) fn names_in(folders: &[&str]) -> BTreeSet<String> {
    let texts = folders.iter().flat_map(|folder| files(folder));
    // It tells of names that are gone.
    let texts = texts.filter(|(name, _)| name != "CHANGELOG.md").map(|(_, text)| text);
    let mut names = BTreeSet::new();
    for text in texts {
        let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && !"_:".contains(letter));
        let found = words.filter(|word| {
            let recorded = word.split(':').count() == 3 && word.contains(":rgw_");
            // A document may speak of all that begin so.
            let is_whole = !word.ends_with('_');
            recorded || is_whole && (word.starts_with("rgw_") || word.starts_with("process_"))
        });
        names.extend(found.map(str::to_owned));
    }
    names
}

/// The metric that a series belongs to.
pub(super) fn family(name: &str) -> &str {
    ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
}

/// The files of a folder with their names.
fn files(folder: &str) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    entries
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap()))
        .collect()
}

/// Both sides of every comparison of an alert, as Prometheus writes its query.
pub(super) fn sides(query: &str) -> Vec<String> {
    let query = unwrapped(query);
    let parts = split(query, &[" and ", " or ", " unless "]);
    if parts.len() > 1 {
        return parts.iter().flat_map(|part| sides(without_matching(part))).collect();
    }
    match split(query, &[" == ", " != ", " >= ", " <= ", " > ", " < "]).as_slice() {
        [left @ .., right] if !left.is_empty() => left.iter().chain([right]).map(|side| (*side).to_owned()).collect(),
        _ => Vec::new(),
    }
}

/// Without the parentheses around all of it.
fn unwrapped(query: &str) -> &str {
    let query = query.trim();
    let inner = query.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let is_whole = |inner: &&str| {
        let mut depth = 0;
        inner.chars().all(|letter| {
            depth += i32::from(letter == '(') - i32::from(letter == ')');
            depth >= 0
        })
    };
    inner.filter(is_whole).map_or(query, unwrapped)
}

/// Without `on (job)` before the right side.
fn without_matching(part: &str) -> &str {
    let part = part.trim();
    let labels = part.strip_prefix("on (").or_else(|| part.strip_prefix("on("));
    labels.and_then(|rest| rest.split_once(')')).map_or(part, |(_, rest)| rest.trim())
}

/// The parts between these operators, where they are in no parentheses, braces or quotes.
fn split<'a>(query: &'a str, operators: &[&str]) -> Vec<&'a str> {
    let (mut parts, mut depth, mut quoted, mut from, mut at) = (Vec::new(), 0, false, 0, 0);
    while let Some(letter) = query[at..].chars().next() {
        let operator = operators.iter().find(|operator| query[at..].starts_with(**operator));
        match (letter, operator) {
            ('"', _) => quoted = !quoted,
            ('(' | '{', _) if !quoted => depth += 1,
            (')' | '}', _) if !quoted => depth -= 1,
            (_, Some(operator)) if !quoted && depth == 0 => {
                parts.push(query[from..at].trim());
                at += operator.len();
                from = at;
                continue;
            }
            _ => {}
        }
        at += letter.len_utf8();
    }
    parts.push(query[from..].trim());
    parts
}

#[test]
fn the_sides_of_comparisons_are_found() {
    for (query, expected) in [
        ("rgw_store_up == 0", vec!["rgw_store_up", "0"]),
        (
            "a > 14.4 * (1 - scalar(s)) and b{x=~\"1 > 2\"} >= 10",
            vec!["a", "14.4 * (1 - scalar(s))", "b{x=~\"1 > 2\"}", "10"],
        ),
        ("(up == 0) and on (job, instance) (max_over_time(i[1d]) == 1)", vec!["up", "0", "max_over_time(i[1d])", "1"]),
        ("predict_linear(m[1d], 3 * 86400) < 0 and m offset 6h", vec!["predict_linear(m[1d], 3 * 86400)", "0"]),
        ("time() - max by (job) (x > 0) > 3 * 86400", vec!["time() - max by (job) (x > 0)", "3 * 86400"]),
    ] {
        assert_eq!(sides(query), expected);
    }
}
