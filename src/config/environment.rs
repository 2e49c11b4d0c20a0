//! Settings from the environment: `REMBG_GATEWAY__STORE__URL` is `store.url`.
//!
//! A variable is text, a setting has a type. So each variable has several readings, and the setting takes the first
//! that fits: a TOML value, then plain text, then a comma-separated list.

use super::{
    Sources,
    mistakes::Mistake,
    reference::{self, PREFIX},
    sources::Place,
};
use std::collections::VecDeque;
use toml::{Table, Value};

/// The prefix of variables that people may have meant for settings.
const NEARLY: &str = "REMBG_GATEWAY_";

/// Variables with that prefix that are read elsewhere: by the command line, and by tests.
const READ_ELSEWHERE: [&str; 4] =
    ["REMBG_GATEWAY_CONFIG", "REMBG_GATEWAY_MIGRATE_FROM", "REMBG_GATEWAY_MIGRATE_TO", "REMBG_GATEWAY_TEST_"];

/// One variable that sets a value.
#[derive(Debug)]
pub(super) struct Variable {
    /// The setting's path, spelled as in the settings.
    pub(super) path: Vec<String>,
    /// Readings that have not been tried.
    pub(super) readings: VecDeque<Value>,
    /// The fault of the first reading.
    pub(super) fault: Option<String>,
}

/// Sets the variables with our prefix in the table. A variable that cannot be set is a mistake.
pub(super) fn apply(
    table: &mut Table,
    variables: impl Iterator<Item = (String, String)>,
    sources: &mut Sources,
    mistakes: &mut Vec<Mistake>,
) -> Vec<Variable> {
    let named: Vec<_> = variables.filter(|(name, _)| name.starts_with(NEARLY)).collect();
    let (mut ours, others): (Vec<_>, Vec<_>) = named.into_iter().partition(|(name, _)| name.starts_with(PREFIX));
    ours.sort_unstable();
    sources.strays = others.into_iter().map(|(name, _)| name).filter(|name| is_stray(name)).collect();
    sources.strays.sort_unstable();
    let mut laid = Vec::with_capacity(ours.len());
    for (name, text) in ours {
        let written = name.get(PREFIX.len()..).unwrap_or_default().to_lowercase();
        let mut readings = readings(&text);
        let first = readings.pop_front().unwrap_or(Value::String(text));
        match place(table, written.split("__"), first.clone()) {
            Some(path) => {
                sources.note(&name, &path.join("."), &first);
                laid.push(Variable { path, readings, fault: None });
            }
            None => mistakes.push(Mistake {
                place: Some(Place::Variable(name)),
                ..Mistake::new(
                    written.replace("__", "."),
                    "cannot be set, because the setting above it is not a section",
                )
            }),
        }
    }
    laid
}

/// Whether nothing reads this variable, and Kubernetes does not set it: for each service of a namespace it sets such
/// variables, and a service may be called rembg-gateway.
fn is_stray(name: &str) -> bool {
    let read = READ_ELSEWHERE.iter().any(|known| name == *known || (known.ends_with('_') && name.starts_with(known)));
    let ends = |ending| name.ends_with(ending);
    let of_a_service =
        ends("_SERVICE_HOST") || name.contains("_SERVICE_PORT") || ends("_PORT") || name.contains("_PORT_");
    !read && (!of_a_service || reference::names_a_setting(name))
}

fn readings(text: &str) -> VecDeque<Value> {
    let plain = Value::String(text.into());
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    let list = Value::Array(items.map(item).collect());
    match text.parse() {
        Ok(whole @ (Value::Table(_) | Value::Array(_))) => [whole].into(),
        Ok(scalar) => [scalar, plain, list].into(),
        Err(_) => [plain, list].into(),
    }
}

/// A list's item: text, with or without quotes.
fn item(text: &str) -> Value {
    text.parse().ok().filter(Value::is_str).unwrap_or_else(|| Value::String(text.into()))
}

/// Sets a value, and makes sections on the way. Existing names, such as plans, are matched in any case. `None` if
/// something on the way is not a section.
fn place<'a>(table: &mut Table, names: impl Iterator<Item = &'a str>, value: Value) -> Option<Vec<String>> {
    let path: Vec<&str> = names.collect();
    let (last, sections) = path.split_last()?;
    let mut spelled = Vec::with_capacity(path.len());
    let mut section = table;
    for name in sections {
        let key = spelling(section, name);
        section = section.entry(key.clone()).or_insert_with(|| Value::Table(Table::new())).as_table_mut()?;
        spelled.push(key);
    }
    let key = spelling(section, last);
    spelled.push(key.clone());
    match (section.get_mut(&key), value) {
        (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
        (_, value) => drop(section.insert(key, value)),
    }
    Some(spelled)
}

fn spelling(section: &Table, name: &str) -> String {
    let there = section.keys().find(|key| key.eq_ignore_ascii_case(name));
    there.map_or_else(|| name.to_owned(), Clone::clone)
}

fn merge(below: &mut Table, above: Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
            (_, value) => drop(below.insert(key, value)),
        }
    }
}
