//! Which settings a gateway that serves may take up, and which need a restart.

use super::Config;
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
        if self.store.url != next.store.url {
            paths.insert("store.url".into());
        }
        let both_have_tls = self.listen.tls_files().is_some() && next.listen.tls_files().is_some();
        let is_live = |path: &String| {
            (within(path, &LIVE) && !within(path, &FIXED)) || (both_have_tls && within(path, &LIVE_WITH_TLS))
        };
        let (live, fixed) = paths.into_iter().partition(is_live);
        Differences { live, fixed }
    }

    /// Every setting that is shown as `***`, but for the password in the store's address.
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
    let is_in =
        |setting: &&str| path.strip_prefix(setting).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    settings.iter().any(is_in)
}

#[cfg(test)]
mod tests;
