//! From a table to typed settings. serde stops at the first mistake, so each one is noted and taken out of the table
//! until the rest can be read.

use super::{Config, environment::Variable, mistakes::Mistake, reference, shown};
use serde_ignored::Path as Ignored;
use serde_path_to_error::Segment;
use toml::{Table, Value};

/// serde's words for types, and ours.
const PLAIN_WORDS: [(&str, &str); 11] = [
    ("invalid type: sequence", "invalid type: a list"),
    ("invalid type: map", "invalid type: a section"),
    ("expected usize", "expected a whole number"),
    ("expected u64", "expected a whole number"),
    ("expected u32", "expected a whole number up to 4294967295"),
    ("expected u8", "expected a whole number up to 255"),
    ("expected a nonzero u32", "expected a whole number from 1 to 4294967295"),
    ("expected a sequence", "expected a list"),
    ("expected path string", "expected a path in quotes"),
    ("expected socket address", "expected an address such as \"127.0.0.1:8080\""),
    ("invalid socket address syntax", "expected an address such as \"127.0.0.1:8080\""),
];

/// Reads the settings that can be read, with defaults for the rest, and adds every unknown setting and wrong type to
/// `mistakes`. Answers with the settings and with the table that they were read from.
pub(super) fn typed(mut table: Table, variables: &mut [Variable], mistakes: &mut Vec<Mistake>) -> (Config, Table) {
    loop {
        let mut unknown = Vec::new();
        let mut note = |path: Ignored<'_>| unknown.push(written(&path));
        let source = serde_ignored::Deserializer::new(Value::Table(table.clone()), &mut note);
        match serde_path_to_error::deserialize::<_, Config>(source) {
            Ok(config) => {
                mistakes.extend(unknown.into_iter().map(|path| unknown_setting(path, variables)));
                return (config, table);
            }
            Err(error) => {
                let path = setting(error.path());
                let fault = shown::without_secrets(&plainly(error.inner().message()), &path.join("."));
                if let Some(mistake) = repair(&mut table, variables, &path, fault) {
                    mistakes.push(mistake);
                }
            }
        }
    }
}

/// The keys that lead to the setting; an error inside a list is the list's.
fn setting(path: &serde_path_to_error::Path) -> Vec<String> {
    let key = |segment: &Segment| match segment {
        Segment::Map { key } => Some(key.clone()),
        Segment::Seq { .. } | Segment::Enum { .. } | Segment::Unknown => None,
    };
    path.iter().map_while(key).collect()
}

fn plainly(message: &str) -> String {
    let mut message = message.trim_end().to_owned();
    for (theirs, ours) in PLAIN_WORDS {
        message = message.replace(theirs, ours);
    }
    message
}

/// Repairs one setting so that reading can go on: tries the next reading of its variable, replaces a missing or wrong
/// value that has no default, or removes a wrong one. None of these can repeat for ever, so the loop ends.
fn repair(table: &mut Table, variables: &mut [Variable], path: &[String], fault: String) -> Option<Mistake> {
    let mut fault = fault;
    if let Some(variable) = variables.iter_mut().find(|variable| variable.path == path) {
        if let (Some(next), Some(place)) = (variable.readings.pop_front(), find(table, path)) {
            variable.fault.get_or_insert(fault);
            *place = next;
            return None;
        }
        fault = variable.fault.take().unwrap_or(fault);
    }
    let mut at = path.to_vec();
    if let Some(name) = fault.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        at.push(name.to_owned());
        if let (Some(Value::Table(section)), Some(value)) = (find(table, path), stand_in(&at)) {
            section.insert(name.to_owned(), value);
            return Some(Mistake::new(at.join("."), "is missing"));
        }
    }
    match (find(table, path), stand_in(path)) {
        (Some(wrong), Some(value)) => *wrong = value,
        _ => remove(table, path),
    }
    Some(Mistake::new(at.join("."), fault))
}

/// A value of the right type for a setting without a default. Only settings of plans have none, so it comes from a
/// built-in plan.
fn stand_in(path: &[String]) -> Option<Value> {
    let [plans, _, within @ ..] = path else { return None };
    let plan = Config::default().plans.into_values().next().filter(|_| plans == "plans")?;
    within.iter().try_fold(Value::try_from(plan).ok()?, |value, key| value.get(key).cloned())
}

fn find<'a>(table: &'a mut Table, path: &[String]) -> Option<&'a mut Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(table.get_mut(first)?, |value, key| value.get_mut(key))
}

fn remove(table: &mut Table, path: &[String]) {
    let removed = match path.split_last() {
        Some((only, [])) => table.remove(only),
        Some((last, sections)) => {
            find(table, sections).and_then(Value::as_table_mut).and_then(|section| section.remove(last))
        }
        None => None,
    };
    if removed.is_none() {
        table.clear();
    }
}

/// The path as people write it.
fn written(path: &Ignored<'_>) -> String {
    let below = |parent: &Ignored<'_>, key: &str| match written(parent) {
        parent if parent.is_empty() => key.to_owned(),
        parent => format!("{parent}.{key}"),
    };
    match path {
        Ignored::Root => String::new(),
        Ignored::Map { parent, key } => below(parent, key),
        Ignored::Seq { parent, index } => format!("{}[{index}]", written(parent)),
        Ignored::Some { parent } | Ignored::NewtypeStruct { parent } | Ignored::NewtypeVariant { parent } => {
            written(parent)
        }
    }
}

fn unknown_setting(path: String, variables: &[Variable]) -> Mistake {
    let is_variable = variables.iter().any(|variable| variable.path.join(".") == path);
    let fault = match reference::meant_by(&path) {
        Some(meant) if is_variable => format!("unknown setting; did you mean {}?", reference::variable(&meant)),
        Some(meant) => format!("unknown setting; did you mean {meant}?"),
        None => "unknown setting".into(),
    };
    Mistake::new(path, fault)
}
