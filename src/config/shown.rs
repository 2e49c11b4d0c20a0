//! Values for people to look at, without anything secret.

use super::sources::contains;
use serde::{Serialize as _, Serializer};
use toml::{Table, Value};

/// The settings whose values are secret.
pub(super) const SECRETS: [&str; 6] = [
    "auth.api_key.pepper",
    "auth.user_token.hs256_secret",
    "auth.user_token.more",
    "backend.api_key",
    "backend.api_keys",
    "stripe.webhook_secrets",
];

/// The most characters of a value that are shown.
const LONGEST: usize = 100;

/// Whether nothing of this setting's value may be shown. A secret that was written one level too high is one as well.
pub(super) fn is_secret(path: &str) -> bool {
    SECRETS.iter().any(|secret| contains(secret, path) || contains(path, secret))
}

/// A setting's value in the table, as it would be written; `None` if it is not there, is a section or a list, or may not be
/// shown.
pub(super) fn value(table: &Table, path: &str) -> Option<String> {
    let mut keys = path.split(['.', '[']);
    let first = table.get(keys.next()?)?;
    let found = keys.try_fold(first, |value, key| match key.strip_suffix(']') {
        Some(index) => value.get(index.parse::<usize>().ok()?),
        None => value.get(key),
    })?;
    match found {
        Value::String(text) if path == "store.url" && !text.starts_with("sqlite:") => None,
        _ if is_secret(path) => None,
        Value::String(text) => Some(short(&Value::String(without_login(text)).to_string())),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => Some(found.to_string()),
        Value::Array(_) | Value::Table(_) => None,
    }
}

/// serde's words about a value of the wrong type, without what may be secret in them.
pub(super) fn without_secrets(message: &str, path: &str) -> String {
    let Some(((kind, value), expected)) =
        message.rsplit_once(", expected").and_then(|(start, end)| Some((start.split_once(": ")?, end)))
    else {
        return message.to_owned();
    };
    let text = value.strip_prefix("string \"").and_then(|value| value.strip_suffix('"'));
    let value = match text {
        _ if SECRETS.iter().any(|secret| contains(secret, path)) => return format!("{kind}, expected{expected}"),
        Some(_) if is_secret(path) => "a text".into(),
        Some(text) => format!("string \"{}\"", short(&without_login(text))),
        None => value.to_owned(),
    };
    format!("{kind}: {value}, expected{expected}")
}

/// An address without its user, its password and its query. Other text stays as it is.
fn without_login(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    // A password may hold any of the characters that end an authority.
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    format!("{scheme}://{rest}")
}

/// An address with `***` for its query, which may hold a key.
#[must_use]
pub fn without_query(url: &str) -> String {
    url.split_once('?').map_or_else(|| url.to_owned(), |(start, _)| format!("{start}?***"))
}

/// Shows addresses without their queries.
pub(super) fn serialize_addresses<S: Serializer>(urls: &[String], target: S) -> Result<S::Ok, S::Error> {
    target.collect_seq(urls.iter().map(|url| without_query(url)))
}

/// Shows an address without its query.
#[expect(clippy::ref_option, reason = "serde passes the field as it is")]
pub(super) fn serialize_address<S: Serializer>(url: &Option<String>, target: S) -> Result<S::Ok, S::Error> {
    url.as_deref().map(without_query).serialize(target)
}

fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_but_not_secrets_and_of_addresses_no_login() {
        let table: Table = "a.b = \"x y\"\nn = 7\nlist = [\"http://me:pw@h/p?key=s#f\", 2]\nsection = {}\n\
                            store.url = \"redis://:hu/sh@h\"\nbackend.api_key = \"hush\"\nauth.api_key = \"hush\"\n"
            .parse()
            .unwrap();
        for (path, shown) in [
            ("a.b", Some("\"x y\"")),
            ("n", Some("7")),
            ("list[0]", Some("\"http://h/p\"")),
            ("list[1]", Some("2")),
            ("list", None),
            ("section", None),
            ("store.url", None),
            ("backend.api_key", None),
            ("auth.api_key", None),
            ("none.there", None),
        ] {
            assert_eq!(value(&table, path).as_deref(), shown, "{path}");
        }
    }

    #[test]
    fn the_words_about_a_wrong_type_hold_no_secret() {
        for (path, value, shown) in [
            ("backend.concurrency", "string \"lots\"", ": string \"lots\""),
            ("backend.concurrency", "integer `-1`", ": integer `-1`"),
            ("backend.api_keys", "string \"hu\\\"sh\"", ""),
            ("backend.api_keys", "integer `1234`", ""),
            ("auth.api_key", "string \"hush, expected hush\"", ": a text"),
            ("auth", "string \"hush\"", ": a text"),
            ("backend.urls", "string \"http://ann:hush@h/?a=hush\"", ": string \"http://h/\""),
        ] {
            let (message, shown) =
                (format!("invalid type: {value}, expected more"), format!("invalid type{shown}, expected more"));
            assert_eq!(without_secrets(&message, path), shown, "{path}");
        }
    }
}
