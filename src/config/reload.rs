//! Which settings a gateway that serves may take up, and which need a restart.

use super::{Config, secrets, sources::contains};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use std::collections::BTreeSet;

/// Settings and sections that a reload takes up. Everything else needs a restart.
const LIVE: [&str; 9] = [
    "default_plan",
    "plans",
    "anonymous",
    "cors",
    "log",
    "limits",
    "backend.api_key",
    "backend.api_key_file",
    "backend.api_keys",
];

/// Settings inside of those that need a restart.
const FIXED: [&str; 5] = [
    "limits.memory_budget",
    "limits.spool_budget",
    "limits.pixel_memory",
    "limits.connections",
    "limits.connections_per_client",
];

/// Settings that a reload takes up as long as they are set before and after it.
const LIVE_WITH_TLS: [&str; 2] = ["listen.tls_cert", "listen.tls_key"];

/// The paths of the settings that differ between two configurations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Those that a reload takes up.
    pub live: Vec<String>,
    /// Those that need a restart.
    pub fixed: Vec<String>,
}

impl Config {
    /// How `next` differs from this configuration.
    #[must_use]
    pub fn differences(&self, next: &Self) -> Differences {
        let mut paths = BTreeSet::new();
        if let (Ok(old), Ok(new)) = (serde_json::to_value(self), serde_json::to_value(next)) {
            compare(String::new(), &old, &new, &mut paths);
        }
        // In the above, secrets are masked.
        for ((path, old), (_, new)) in self.secrets().into_iter().zip(next.secrets()) {
            let texts = |secrets: &[&SecretString]| -> Vec<String> {
                secrets.iter().map(|secret| secret.expose_secret().to_owned()).collect()
            };
            if texts(&old) != texts(&new) {
                paths.insert(path.to_owned());
            }
        }
        for (setting, _) in self.file_secrets.iter().chain(&next.file_secrets) {
            if contents(self, setting) != contents(next, setting) {
                paths.insert((*setting).to_owned());
            }
        }
        for (path, same) in [
            ("store.url", self.store.url == next.store.url),
            ("backend.urls", self.backend.urls == next.backend.urls),
            ("backend.reconcile.url", self.backend.reconcile.url == next.backend.reconcile.url),
        ] {
            if !same {
                paths.insert(path.to_owned());
            }
        }
        let both_have_tls = self.listen.tls_files().is_some() && next.listen.tls_files().is_some();
        let is_live = |path: &String| {
            (within(path, &LIVE) && !within(path, &FIXED)) || (both_have_tls && within(path, &LIVE_WITH_TLS))
        };
        let (live, fixed) = paths.into_iter().partition(is_live);
        Differences { live, fixed }
    }

    /// Reads the files that hold secrets. One that cannot be read is a mistake that `check` reports.
    pub(super) fn read_secret_files(&mut self) {
        let token = &self.auth.user_token;
        let more = token.more.iter().map(|issuer| ("auth.user_token.more", &issuer.hs256_secret_file));
        let files = [
            ("auth.api_key.pepper_file", &self.auth.api_key.pepper_file),
            ("auth.user_token.hs256_secret_file", &token.hs256_secret_file),
            ("backend.api_key_file", &self.backend.api_key_file),
            ("stripe.webhook_secrets_file", &self.stripe.webhook_secrets_file),
        ];
        let read = files.into_iter().chain(more);
        self.file_secrets =
            read.filter_map(|(setting, file)| Some((setting, secrets::read(file.as_deref()?).ok()?))).collect();
    }

    /// Every setting that is shown as `***`; addresses, of which parts are, are not among them.
    fn secrets(&self) -> [(&'static str, Vec<&SecretString>); 6] {
        let token = &self.auth.user_token;
        [
            ("auth.api_key.pepper", self.auth.api_key.pepper.iter().collect()),
            ("auth.user_token.hs256_secret", token.hs256_secret.iter().collect()),
            ("auth.user_token.more", token.more.iter().filter_map(|issuer| issuer.hs256_secret.as_ref()).collect()),
            ("backend.api_key", self.backend.api_key.iter().collect()),
            ("backend.api_keys", self.backend.api_keys.iter().collect()),
            ("stripe.webhook_secrets", self.stripe.webhook_secrets.iter().collect()),
        ]
    }
}

/// What the files of one setting held.
fn contents<'a>(config: &'a Config, setting: &str) -> Vec<&'a str> {
    let of_setting = config.file_secrets.iter().filter(|(name, _)| *name == setting);
    of_setting.map(|(_, secret)| secret.expose_secret()).collect()
}

/// Adds the path of each value that is not the same in both. Lists are compared as a whole.
fn compare(path: String, old: &Value, new: &Value, differing: &mut BTreeSet<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for key in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
                let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let [old, new] = [old, new].map(|values| values.get(key).unwrap_or(&Value::Null));
                compare(inner, old, new, differing);
            }
        }
        _ if old == new => {}
        _ => {
            differing.insert(path);
        }
    }
}

fn within(path: &str, settings: &[&str]) -> bool {
    settings.iter().any(|setting| contains(setting, path))
}

#[cfg(test)]
mod tests;
