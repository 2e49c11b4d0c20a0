//! The architecture's rules: imports point down, heavy libraries have one home, files stay small.

mod circles;
mod words;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Libraries, and the only places that may name them.
const HOMES: [(&str, &[&str]); 15] = [
    ("redis", &["src/store/redis"]),
    ("rusqlite", &["src/store/sqlite"]),
    ("prometheus", &["src/telemetry"]),
    ("rten", &["src/backend/builtin"]),
    ("image", &["src/picture", "src/backend/builtin"]),
    ("webp", &["src/picture"]),
    ("moxcms", &["src/picture"]),
    ("clap", &["src/cli", "src/main.rs"]),
    ("pingora_limits", &["src/edge/shield"]),
    ("jsonwebtoken", &["src/identity/user_token"]),
    ("toml", &["src/config"]),
    ("flate2", &["src/pages"]),
    ("tokio_rustls", &["src/edge/listener/tls"]),
    ("url", &["src/domain/picture_url"]),
    ("listenfd", &["src/edge/listener/sockets"]),
];

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                found.push((path.clone(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(found.len() > 30, "the tests run in the repository's folder");
    found
}

/// Reading order, as `src/lib.rs` declares it: a module may use those after it, and itself.
fn order() -> Vec<String> {
    let map = fs::read_to_string("src/lib.rs").unwrap();
    let listed: Vec<String> =
        map.lines().filter_map(|line| line.strip_prefix("//! | [`")?.split('`').next().map(str::to_owned)).collect();
    let declared: Vec<String> =
        map.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';').map(str::to_owned)).collect();
    assert_eq!(listed, declared, "the map in src/lib.rs is not what it declares");
    assert!(listed.len() > 10, "the map in src/lib.rs cannot be read");
    listed
}

/// The top-level module that a file belongs to.
fn module_of(path: &Path) -> String {
    let first = path.components().nth(1).unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The top-level modules of ours that a source names, by path or in a `use crate::{…}` tree.
fn named(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let code: String =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + 7..];
        let Some(tree) = rest.strip_prefix('{') else {
            found.push(word(rest));
            continue;
        };
        let mut depth = 1;
        let mut item = String::new();
        for c in tree.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            if depth == 1 && c == ',' {
                found.push(word(item.trim()));
                item.clear();
            } else if depth == 1 {
                item.push(c);
            }
        }
        found.push(word(item.trim()));
    }
    found
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn imports_point_down() {
    let order = order();
    let rank = |module: &str| order.iter().position(|name| name == module);
    for (path, source) in sources() {
        let module = module_of(&path);
        let Some(own) = rank(&module) else { continue };
        for other in named(&source) {
            if let Some(theirs) = rank(&other) {
                assert!(theirs >= own, "{} uses {other}, which stands above {module}", path.display());
            }
        }
    }
}

#[test]
fn every_module_has_its_place_in_the_order() {
    let order = order();
    for (path, _) in sources() {
        let module = module_of(&path);
        assert!(order.contains(&module) || module == "main" || module == "lib", "{} belongs nowhere", path.display());
    }
}

#[test]
fn heavy_libraries_have_one_home() {
    for (path, source) in sources() {
        for (library, homes) in HOMES {
            let at_home = path.ends_with("tests.rs")
                || homes.iter().any(|home| path.starts_with(home) || path.with_extension("").starts_with(home));
            let names_it = source.lines().any(|line| line.starts_with(&format!("use {library}::")));
            assert!(
                !names_it || at_home || homes.contains(&path.to_str().unwrap()),
                "{} names {library}",
                path.display()
            );
        }
    }
}

#[test]
fn files_stay_small() {
    for (path, source) in sources() {
        let lines = source.lines().count();
        assert!(lines <= 400, "{} has {lines} lines", path.display());
    }
}

#[test]
fn only_the_edge_knows_status_codes() {
    for (path, source) in sources() {
        let free = path.starts_with("src/edge") || path.ends_with("edge.rs");
        assert!(free || !source.contains("StatusCode::"), "{} names a status code", path.display());
    }
}

#[test]
fn imports_make_no_circles() {
    let circles = circles::circles(&circles::modules(&sources()));
    assert!(circles.is_empty(), "modules that use each other:\n{}", circles.join("\n"));
}
