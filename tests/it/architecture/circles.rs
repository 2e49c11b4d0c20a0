//! There are no circles: of two modules beside each other, one may use the other, but not both.

use std::collections::{BTreeMap, BTreeSet};

/// A module's path below the crate, and its source without tests.
pub type Modules = BTreeMap<Vec<String>, String>;

/// Every module of the crate.
pub fn modules(sources: &[(std::path::PathBuf, String)]) -> Modules {
    let of = |(path, source): &(std::path::PathBuf, String)| {
        let mut parts: Vec<String> = path
            .with_extension("")
            .components()
            .skip(1)
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect();
        if parts.iter().any(|part| part == "tests") {
            return None;
        }
        if parts == ["lib"] || parts == ["main"] {
            parts.clear();
        }
        Some((parts, code(source)))
    };
    let mut found = Modules::new();
    for (path, source) in sources.iter().filter_map(of) {
        found.entry(path).or_default().push_str(&source);
    }
    found
}

/// The circles among modules that stand beside each other, each as `one -> other -> … -> one`.
pub fn circles(modules: &Modules) -> Vec<String> {
    let mut uses: BTreeMap<Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
    for (module, source) in modules {
        for path in paths(source) {
            let Some(target) = resolve(modules, module, &path, 0) else { continue };
            let shared = module.iter().zip(&target).take_while(|(one, other)| one == other).count();
            // A module and what lies below it are one thing.
            if shared < module.len() && shared < target.len() {
                uses.entry(module[..=shared].to_vec()).or_default().insert(target[..=shared].to_vec());
            }
        }
    }
    let mut found = BTreeSet::new();
    for start in uses.keys() {
        if let Some(circle) = way_back(&uses, start) {
            let names: BTreeSet<_> = circle.iter().map(|module| module.join("::")).collect();
            found.insert((names, circle.iter().map(|module| module.join("::")).collect::<Vec<_>>().join(" -> ")));
        }
    }
    let mut seen = BTreeSet::new();
    found.into_iter().filter(|(names, _)| seen.insert(names.clone())).map(|(_, way)| way).collect()
}

/// The shortest way from a module back to itself.
fn way_back(uses: &BTreeMap<Vec<String>, BTreeSet<Vec<String>>>, start: &Vec<String>) -> Option<Vec<Vec<String>>> {
    let mut ways = std::collections::VecDeque::from([vec![start.clone()]]);
    let mut visited = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        for next in uses.get(way.last()?).into_iter().flatten() {
            let longer = way.iter().chain([next]).cloned().collect();
            if next == start {
                return Some(longer);
            }
            if visited.insert(next.clone()) {
                ways.push_back(longer);
            }
        }
    }
    None
}

/// The module that a path leads to: along modules, and through what a module hands on by `use`.
fn resolve(modules: &Modules, from: &[String], path: &[String], depth: usize) -> Option<Vec<String>> {
    let (first, mut rest) = path.split_first()?;
    let mut at = match first.as_str() {
        "crate" => Vec::new(),
        "self" => from.to_vec(),
        "super" => from.split_last()?.1.to_vec(),
        _ => return None,
    };
    while let Some((next, behind)) = rest.split_first() {
        if next == "super" {
            at.pop()?;
        } else if next != "self" {
            let child: Vec<String> = at.iter().chain([next]).cloned().collect();
            if modules.contains_key(&child) {
                at = child;
            } else {
                return Some(handed_on(modules, &at, next, depth).unwrap_or(at));
            }
        }
        rest = behind;
    }
    Some(at)
}

/// The path behind a name that a module has by a `use` of its own.
fn handed_on(modules: &Modules, module: &[String], name: &str, depth: usize) -> Option<Vec<String>> {
    if depth > 4 {
        return None;
    }
    let handed = uses(modules.get(module)?).into_iter().find(|path| path.last().is_some_and(|last| last == name))?;
    let first = handed.first()?.clone();
    let absolute = if ["crate", "self", "super"].contains(&first.as_str()) {
        handed
    } else {
        std::iter::once("self".to_owned()).chain(handed).collect()
    };
    resolve(modules, module, &absolute, depth + 1).filter(|found| found != module)
}

/// Every path in a source that begins at the crate or at a neighbour.
fn paths(source: &str) -> Vec<Vec<String>> {
    let mut found = uses(source);
    for start in ["crate::", "super::"] {
        for (at, _) in source.match_indices(start) {
            let word = |text: &str| text.chars().all(|c| c.is_alphanumeric() || c == '_');
            let end = source[at..].find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(0);
            let path: Vec<String> = source[at..at + end].split("::").map(str::to_owned).collect();
            if path.iter().all(|part| word(part)) {
                found.push(path.into_iter().filter(|part| !part.is_empty()).collect());
            }
        }
    }
    found
}

/// The paths of every `use` tree.
fn uses(source: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (at, _) in source.match_indices("use ") {
        let begins = at == 0 || source[..at].ends_with(['\n', ' ', ')']);
        if let (true, Some(end)) = (begins, source[at..].find(';')) {
            tree(source[at + 4..at + end].trim(), &[], &mut found);
        }
    }
    found
}

fn tree(text: &str, above: &[String], found: &mut Vec<Vec<String>>) {
    let Some(open) = text.find('{') else {
        let path = text.split(" as ").next().unwrap_or_default().split("::").map(|part| part.trim().to_owned());
        found.push(above.iter().cloned().chain(path).collect());
        return;
    };
    let head: Vec<String> = above
        .iter()
        .cloned()
        .chain(text[..open].split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()))
        .collect();
    let (mut depth, mut start) = (0, open + 1);
    for (at, c) in text.char_indices().skip(open + 1) {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                let item = text[start..at].trim();
                if !item.is_empty() {
                    tree(item, &head, found);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// A source without comments and without its tests.
fn code(source: &str) -> String {
    let before_tests = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    before_tests.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_circle_is_found_and_a_way_down_is_none() {
    let module = |path: &str, source: &str| (path.split("::").map(str::to_owned).collect(), source.to_owned());
    let down = Modules::from([module("a", "use crate::b::c::X;"), module("b", ""), module("b::c", "use super::Y;")]);
    assert_eq!(circles(&down), Vec::<String>::new());
    let round = Modules::from([
        module("a", "mod one; mod two; pub use one::Thing;"),
        module("a::one", "use super::two::{self, What};"),
        module("a::two", "fn f(thing: super::Thing) {}"),
    ]);
    assert_eq!(circles(&round), ["a::one -> a::two -> a::one"]);
}
