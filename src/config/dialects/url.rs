//! `[dialects.url]`

use crate::domain::network::Network;
use serde::{Deserialize, Serialize};
use std::{fs, path::PathBuf};

/// `[dialects.url]`: pictures that a caller names by URL instead of sending them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, expecting = "a section")]
pub struct UrlConfig {
    /// Whether they are fetched.
    pub enabled: bool,
    /// Networks from which they are fetched although they are not on the internet, and there from any port.
    pub allow_networks: Vec<Network>,
    /// Authorities that https addresses in `allow_networks` are checked against, instead of the machine's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

impl UrlConfig {
    /// What is wrong, and with which setting of the section.
    pub(in crate::config) fn complaints(&self) -> Vec<(String, String)> {
        let everything = |(index, network): (usize, &Network)| {
            let fault = "opens every address, this machine's own included; name the networks of your stores";
            network.is_everything().then(|| (format!("allow_networks[{index}]"), fault.to_owned()))
        };
        let mut found: Vec<_> = self.allow_networks.iter().enumerate().filter_map(everything).collect();
        if let Some(Err(error)) = self.ca_file.as_ref().map(fs::read) {
            found.push(("ca_file".into(), format!("cannot be read: {error}")));
        }
        if self.ca_file.is_some() && self.allow_networks.is_empty() {
            found
                .push(("ca_file".into(), "needs allow_networks: only addresses in them are checked against it".into()));
        }
        found
    }
}
