//! Relative paths. What a file says is relative to the file's folder; everything else, to the working directory.

use super::Config;
use std::path::{Path, PathBuf, absolute};
use toml::{Table, Value};

/// Every setting that holds a path; `[]` stands for each item of a list.
const PATHS: [&str; 14] = [
    "auth.api_key.pepper_file",
    "auth.user_token.hs256_secret_file",
    "auth.user_token.jwks_file",
    "auth.user_token.more[].hs256_secret_file",
    "auth.user_token.more[].jwks_file",
    "backend.api_key_file",
    "backend.ca_file",
    "backend.model",
    "dialects.url.ca_file",
    "listen.tls_cert",
    "listen.tls_key",
    "store.ca_file",
    "store.journal",
    "stripe.webhook_secrets_file",
];

/// The one address that may hold a path.
const STORE: &str = "store.url";

/// Makes the relative paths of a file's settings relative to `folder`, which is absolute. Values of another type stay:
/// they are mistakes.
pub(super) fn relative_to(table: &mut Table, folder: &Path) {
    for path in PATHS {
        each(table, path, &mut |text| folder.join(text).to_str().map(str::to_owned));
    }
    each(table, STORE, &mut |url| within_url(url, folder));
}

fn each(table: &mut Table, path: &str, change: &mut dyn FnMut(&str) -> Option<String>) {
    let (key, rest) = path.split_once('.').unwrap_or((path, ""));
    match (table.get_mut(key.trim_end_matches("[]")), rest) {
        (Some(Value::String(text)), "") if !text.is_empty() => {
            if let Some(changed) = change(text) {
                *text = changed;
            }
        }
        (Some(Value::Table(section)), rest) if !rest.is_empty() => each(section, rest, change),
        (Some(Value::Array(items)), rest) => {
            items.iter_mut().filter_map(Value::as_table_mut).for_each(|item| each(item, rest, change));
        }
        _ => {}
    }
}

/// The address with an absolute path; `None` if it holds no relative one.
fn within_url(url: &str, folder: &Path) -> Option<String> {
    let kind = ["sqlite:", "redis+unix://", "redis+unix:"].into_iter().find(|kind| url.starts_with(kind))?;
    let path = url.strip_prefix(kind).filter(|path| !path.is_empty())?;
    Some(format!("{kind}{}", folder.join(path).to_str()?))
}

impl Config {
    /// Makes every path absolute that is still relative, from the working directory, so that people see which file is
    /// meant.
    pub(super) fn make_paths_absolute(&mut self) {
        let Ok(here) = absolute(".") else { return };
        let Self { listen, store, backend, auth, dialects, stripe, .. } = self;
        let tokens = &mut auth.user_token;
        let named = [
            &mut listen.tls_cert,
            &mut listen.tls_key,
            &mut store.ca_file,
            &mut backend.api_key_file,
            &mut backend.ca_file,
            &mut auth.api_key.pepper_file,
            &mut tokens.jwks_file,
            &mut tokens.hs256_secret_file,
            &mut dialects.url.ca_file,
            &mut stripe.webhook_secrets_file,
        ];
        let more = tokens.more.iter_mut().flat_map(|issuer| [&mut issuer.jwks_file, &mut issuer.hs256_secret_file]);
        let always = [&mut store.journal, &mut backend.model];
        for path in named.into_iter().chain(more).flatten().chain(always) {
            complete(path, &here);
        }
        store.make_absolute(&here);
    }
}

/// An empty path names nothing, and stays a mistake.
fn complete(path: &mut PathBuf, here: &Path) {
    if !path.as_os_str().is_empty() {
        *path = here.join(&*path);
    }
}

impl super::StoreConfig {
    /// Makes a path in the address absolute. A folder whose name is not text stays out of it.
    pub fn make_absolute(&mut self, here: &Path) {
        if let Some(url) = within_url(&self.url, here) {
            self.url = url;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A file that sets every path to `x/NAME`, and the settings for which their files must exist.
    fn file_with_every_path(folder: &Path) -> String {
        let mut file = String::new();
        fs::create_dir(folder.join("x")).unwrap();
        for path in PATHS {
            let name = path.replace(['.', '['], "-").replace(']', "");
            fs::write(folder.join("x").join(&name), "sixteen characters or more, and thirty-two too").unwrap();
            if !path.contains("[]") {
                file = format!("{file}{path} = \"x/{name}\"\n");
            }
        }
        file + "store.url = \"sqlite:x/gateway.db\"\n\
                auth.user_token.more = [{ jwks_file = \"x/a\" }, { hs256_secret_file = \"x/b\" }]\n"
    }

    #[test]
    fn what_a_file_says_is_relative_to_its_folder_and_all_else_to_the_working_directory() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        fs::write(&file, file_with_every_path(folder.path())).unwrap();
        // The settings contradict each other; their paths are looked at all the same.
        let mut table: Table = fs::read_to_string(&file).unwrap().parse().unwrap();
        relative_to(&mut table, folder.path());
        let mut config: Config = Value::Table(table).try_into().unwrap();
        let before = format!("{config:?}");
        config.make_paths_absolute();
        assert_eq!(format!("{config:?}"), before, "everything was absolute already");
        let inside = before.matches(&format!("{}/x/", folder.path().display())).count();
        assert_eq!(inside, PATHS.len() + 1, "{before}");

        let here = std::env::current_dir().unwrap();
        let defaults = Config::load(None, std::iter::empty()).unwrap();
        assert_eq!(defaults.store.journal, here.join("data/journal"));
        assert_eq!(defaults.backend.model, here.join(".cache/u2netp.onnx"));
        assert_eq!(defaults.store.url, format!("sqlite:{}/data/gateway.db", here.display()));
        fs::write(&file, "store.journal = \"deep/journal\"").unwrap();
        let env = [("REMBG_GATEWAY__BACKEND__MODEL".into(), "my/model.onnx".into())];
        let mixed = Config::load(Some(&file), env.into_iter()).unwrap();
        assert_eq!(mixed.store.journal, folder.path().join("deep/journal"));
        assert_eq!(mixed.backend.model, here.join("my/model.onnx"));
    }

    #[test]
    fn every_setting_with_a_path_is_known_here() {
        let mut fields = Vec::new();
        for entry in fs::read_dir("src/config").unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|kind| kind != "rs") || path.ends_with("sources.rs") {
                continue;
            }
            let source = fs::read_to_string(&path).unwrap();
            let is_path = |line: &&str| line.contains(": PathBuf,") || line.contains(": Option<PathBuf>,");
            let public = source.lines().filter(is_path).filter_map(|line| line.trim().strip_prefix("pub "));
            fields.extend(public.map(|line| line.split(':').next().unwrap().to_owned()));
        }
        fields.extend(fs::read_to_string("src/config.rs").unwrap().lines().filter_map(|line| {
            line.trim().strip_prefix("pub ")?.strip_suffix(": Option<PathBuf>,").map(str::to_owned)
        }));
        // The address of a Redis holds the setting store.ca_file.
        assert_eq!(fields.iter().filter(|name| *name != "ca_file").count(), PATHS.len() - 3, "{fields:?}");
        for field in fields {
            assert!(PATHS.iter().any(|path| path.ends_with(&format!(".{field}"))), "{field}");
        }
    }

    #[test]
    fn only_relative_paths_of_an_address_change() {
        let folder = Path::new("/etc/gateway");
        for (url, changed) in [
            ("sqlite:data/gateway.db", Some("sqlite:/etc/gateway/data/gateway.db")),
            ("sqlite:/var/gateway.db", Some("sqlite:/var/gateway.db")),
            ("sqlite:", None),
            ("redis+unix:run/r.sock", Some("redis+unix:/etc/gateway/run/r.sock")),
            ("redis+unix:///run/r.sock", Some("redis+unix:///run/r.sock")),
            ("redis://127.0.0.1:6379", None),
        ] {
            assert_eq!(within_url(url, folder).as_deref(), changed, "{url}");
        }
    }
}
