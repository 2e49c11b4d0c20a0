//! What `config/gateway.toml` says of each setting: its name, its meaning, and how it is written. The file is a part of the
//! program, so that its words and the program's cannot differ.

use std::{collections::BTreeSet, iter, sync::LazyLock};

/// The prefix of our variables' names.
pub const PREFIX: &str = "REMBG_GATEWAY__";

/// The file that shows every setting.
pub(super) const FILE: &str = include_str!("../../config/gateway.toml");

/// One line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ReferenceLine<'a> {
    /// `[section]`
    Section(&'a str),
    /// `key = value`, or an example in a comment, `# key = value`: the key, and the whole line.
    Setting(&'a str, &'a str),
    /// Words.
    Comment(&'a str),
    /// An empty line.
    Blank,
}

/// The lines of the file.
pub(super) fn lines() -> impl Iterator<Item = ReferenceLine<'static>> {
    FILE.lines().map(|line| {
        let section = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let name = |text: &'static str| {
            let (key, _) = text.split_once(" = ")?;
            let plain = key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
            plain.then_some(key)
        };
        match (section, line.strip_prefix("# ")) {
            (Some(section), _) => ReferenceLine::Section(section),
            (None, Some(comment)) => {
                name(comment).map_or(ReferenceLine::Comment(comment), |key| ReferenceLine::Setting(key, line))
            }
            (None, None) if line.is_empty() => ReferenceLine::Blank,
            (None, None) => name(line).map_or(ReferenceLine::Comment(""), |key| ReferenceLine::Setting(key, line)),
        }
    })
}

/// Every path of a setting or a section; `*` stands for the name of a plan, and the settings of a list's items come after
/// `[]`.
static PATHS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let mut paths = BTreeSet::new();
    let mut section = "";
    for line in lines() {
        match line {
            ReferenceLine::Section(name) => {
                section = if name.starts_with("plans.") { "plans.*" } else { name };
                paths.extend(with_sections_around(section));
            }
            ReferenceLine::Setting(key, _) => drop(paths.insert(below(section, key))),
            ReferenceLine::Comment(_) | ReferenceLine::Blank => {}
        }
    }
    for (at, keys) in [("plans.*.burst", BURST), ("anonymous.burst", BURST), ("pages.links[]", ["text", "url"])] {
        paths.extend(keys.map(|key| format!("{at}.{key}")));
    }
    let tokens = "auth.user_token.";
    let of_issuers = paths.iter().filter_map(|path| path.strip_prefix(tokens)).chain(["uid_prefix"]);
    let of_issuers: Vec<_> = of_issuers.map(|key| format!("{tokens}more[].{key}")).collect();
    paths.extend(of_issuers);
    paths
});

/// The path of a key in a section; at the top, the section is empty.
pub(super) fn below(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

const BURST: [&str; 2] = ["per_minute", "size"];

fn with_sections_around(section: &str) -> impl Iterator<Item = String> {
    iter::successors(Some(section), |section| Some(section.rsplit_once('.')?.0)).map(str::to_owned)
}

/// The known setting that somebody may have meant by an unknown path.
pub(super) fn meant_by(unknown: &str) -> Option<String> {
    let (general, plan) = without_names(unknown);
    let (section, key) = general.rsplit_once('.').unwrap_or(("", &general));
    let with_plan = |path: &str| plan.as_ref().map_or_else(|| path.to_owned(), |plan| path.replacen('*', plan, 1));
    let inside = |path: &&String| path.rsplit_once('.').map_or("", |(section, _)| section) == section;
    let siblings = PATHS.iter().filter(inside).map(String::as_str);
    if let Some(path) = nearest(key, siblings.filter(|path| !path.ends_with('*'))) {
        return Some(with_plan(path));
    }
    // The right name in the wrong section, if it is in one other only.
    let ends = format!(".{key}");
    let mut elsewhere = PATHS.iter().filter(|path| path.ends_with(&ends) && !path.contains(['*', '[']));
    elsewhere.next().filter(|_| elsewhere.next().is_none()).cloned()
}

/// The path with `*` for a plan's name and `[]` for the place in a list, and the plan's name.
fn without_names(path: &str) -> (String, Option<String>) {
    let mut general = String::with_capacity(path.len());
    for part in path.split_inclusive(']') {
        match part.split_once('[') {
            Some((before, _)) => general.extend([before, "[]"]),
            None => general.push_str(part),
        }
    }
    let mut keys: Vec<_> = general.split('.').collect();
    let plan = (keys.len() > 2 && keys[0] == "plans").then(|| std::mem::replace(&mut keys[1], "*").to_owned());
    (keys.join("."), plan)
}

/// The path whose last key is spelled most like this one, if it is alike enough to be meant.
fn nearest<'a>(key: &str, paths: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let last = |path: &'a str| path.rsplit('.').next().unwrap_or(path);
    let with_distance = paths.map(|path| (strsim::osa_distance(key, last(path)), path));
    let enough = (key.chars().count() / 3).max(1);
    with_distance.min().filter(|(distance, _)| *distance <= enough).map(|(_, path)| path)
}

/// The variable of a setting.
pub(super) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").to_uppercase())
}

/// The variable that somebody may have meant by a name with the underscores or the letters not quite right.
pub(super) fn variable_meant_by(name: &str) -> Option<String> {
    let plain = |name: &str| name.replace('_', "");
    let known = PATHS.iter().filter(|path| !path.contains(['*', '['])).map(|path| variable(path));
    let with_distance = known.map(|known| (strsim::osa_distance(&plain(name), &plain(&known)), known));
    with_distance.min().filter(|(distance, _)| *distance <= 2).map(|(_, known)| known)
}

/// Whether a variable is spelled like a setting's, but for its underscores.
pub(super) fn names_a_setting(name: &str) -> bool {
    let plain = |name: &str| name.replace('_', "");
    PATHS.iter().any(|path| plain(&variable(path)) == plain(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_mistypes_at_night_is_told_what_it_is_called() {
        for (typed, meant) in [
            ("backend.url", Some("backend.urls")),
            ("backend.concurency", Some("backend.concurrency")),
            ("backend.timeout", Some("backend.timeout_s")),
            ("bakend", Some("backend")),
            ("default_plans", Some("default_plan")),
            ("limits.concurrency", Some("backend.concurrency")),
            ("store.pepper_file", Some("auth.api_key.pepper_file")),
            ("listen.tls_certs", Some("listen.tls_cert")),
            ("listen.tls_crt", Some("listen.tls_cert")),
            ("log.levle", Some("log.level")),
            ("log.colour", None),
            ("plans.Gold.credit", Some("plans.Gold.credits")),
            ("plans.Gold.brust", Some("plans.Gold.burst")),
            ("plans.Gold.burst.per_minuet", Some("plans.Gold.burst.per_minute")),
            ("anonymous.burst.sise", Some("anonymous.burst.size")),
            ("auth.user_token.more[0].isuer", Some("auth.user_token.more[].issuer")),
            ("pages.links[3].txt", Some("pages.links[].text")),
            ("backend.reconcile.urls", Some("backend.reconcile.url")),
            ("colour", None),
        ] {
            assert_eq!(meant_by(typed).as_deref(), meant, "{typed}");
        }
    }

    #[test]
    fn a_variable_with_other_underscores_is_told_too() {
        for (typed, meant) in [
            ("REMBG_GATEWAY_STORE_URL", Some("REMBG_GATEWAY__STORE__URL")),
            ("REMBG_GATEWAY_BACKEND__API_KEY", Some("REMBG_GATEWAY__BACKEND__API_KEY")),
            ("REMBG_GATEWAY_AUTH_API_KEY_PEPER", Some("REMBG_GATEWAY__AUTH__API_KEY__PEPPER")),
            ("REMBG_GATEWAY_SOMETHING", None),
        ] {
            assert_eq!(variable_meant_by(typed).as_deref(), meant, "{typed}");
        }
    }

    #[test]
    fn every_line_of_the_file_is_one_of_the_four_kinds() {
        for (text, line) in FILE.lines().zip(lines()) {
            let fits = match line {
                ReferenceLine::Section(name) => text == format!("[{name}]"),
                ReferenceLine::Setting(key, line) => {
                    line == text && text.trim_start_matches("# ").starts_with(&format!("{key} = "))
                }
                ReferenceLine::Comment(words) => text.trim_start_matches('#').trim() == words.trim(),
                ReferenceLine::Blank => text.is_empty(),
            };
            assert!(fits, "{text}: {line:?}");
        }
    }
}
