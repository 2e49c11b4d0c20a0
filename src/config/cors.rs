//! `[cors]`

use serde::{Deserialize, Serialize};

/// `[cors]`: the web pages of other origins that may call from a browser.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, expecting = "a section")]
pub struct CorsConfig {
    /// Their origins, such as `https://app.example.com`; `*` for any. Without any, CORS is off.
    pub origins: Vec<String>,
}

impl CorsConfig {
    /// Each origin that no browser would send, and its fault.
    pub(super) fn complaints(&self) -> impl Iterator<Item = (usize, &'static str)> {
        self.origins.iter().enumerate().filter(|(_, origin)| !is_origin(origin)).map(|(index, _)| {
            (index, "must be an origin such as \"https://app.example.com\", in lower case and without a path, or \"*\"")
        })
    }
}

/// As browsers write it in `Origin`: scheme, host, and a port unless it is the scheme's own.
pub(super) fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_host = |host: &str| {
        !host.is_empty()
            && host.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b':' | b'[' | b']')
            })
    };
    text == "*" || host.is_some_and(is_host)
}
