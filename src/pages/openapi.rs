//! The description of the API, as JSON and as YAML: the file `assets/openapi.json` with the values of this gateway's
//! settings.

mod node;
mod yaml;

use super::file::File;
use crate::config::Config;
use node::Node;

/// The file's text. Tests of other modules compare it with their rules.
pub(crate) const TEXT: &str = include_str!("assets/openapi.json");

/// The document, ready to be sent.
#[derive(Debug)]
pub struct OpenApi {
    /// `GET /api/openapi`
    pub json: File,
    /// `GET /api/openapi.yaml`
    pub yaml: File,
}

impl OpenApi {
    pub(super) fn new(config: &Config) -> Self {
        // The file is a part of this program, and a test parses it.
        let mut document: Node = serde_json::from_str(TEXT).unwrap_or(Node::Map(Vec::new()));
        adapt(&mut document, config);
        let json = serde_json::to_vec(&document).unwrap_or_default();
        Self {
            json: File::new("application/json", json),
            yaml: File::new("application/yaml", yaml::written(&document).into_bytes()),
        }
    }
}

/// Leaves out the paths that are turned off, and sets the server's address and the header of user tokens, if they are not
/// the usual ones.
fn adapt(document: &mut Node, config: &Config) {
    if let Some(Node::Map(paths)) = document.at(&["paths"]) {
        paths.retain(|(path, _)| match path.as_str() {
            "/api/remove" => config.dialects.rembg.enabled,
            other => config.dialects.removebg || !other.starts_with("/v1.0/"),
        });
    }
    if let (Some(url), Some(server)) = (&config.pages.public_url, document.at(&["servers", "0", "url"])) {
        *server = Node::text(url);
    }
    let header = &config.auth.user_token.header;
    let scheme = document.at(&["components", "securitySchemes", "UserToken"]).filter(|_| !is_authorization(header));
    if let Some(Node::Map(scheme)) = scheme {
        scheme.retain(|(key, _)| key == "description");
        let pairs = [("type", "apiKey"), ("in", "header"), ("name", header)];
        scheme.splice(0..0, pairs.map(|(key, value)| (key.to_owned(), Node::text(value))));
    }
}

fn is_authorization(header: &str) -> bool {
    header.eq_ignore_ascii_case("authorization")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn shown(config: &Config) -> Value {
        serde_json::from_slice(OpenApi::new(config).json.plain()).unwrap()
    }

    #[test]
    fn it_is_the_file_in_its_own_order() {
        let shown: Node = serde_json::from_slice(OpenApi::new(&Config::default()).json.plain()).unwrap();
        let written: Node = serde_json::from_str(TEXT).unwrap();
        assert_eq!(serde_json::to_string(&shown).unwrap(), serde_json::to_string(&written).unwrap());
        assert!(matches!(&written, Node::Map(members) if members[0].0 == "openapi" && members[1].0 == "info"));
    }

    #[test]
    fn apis_that_are_turned_off_are_not_described() {
        let mut config = Config::default();
        let paths = |config: &Config| shown(config)["paths"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let all = paths(&config);
        config.dialects.removebg = false;
        assert_eq!(paths(&config).len(), all.len() - 2);
        config.dialects.rembg.enabled = false;
        assert_eq!(paths(&config).len(), all.len() - 3);
    }

    #[test]
    fn it_names_the_configured_server_and_token_header() {
        assert_eq!(shown(&Config::default())["servers"], json!([{"url": "/"}]));
        let mut config = Config::default();
        config.pages.public_url = Some("https://api.example.com".into());
        config.auth.user_token.header = "X-User-Token".into();
        let shown = shown(&config);
        assert_eq!(shown["servers"], json!([{"url": "https://api.example.com"}]));
        let scheme = &shown["components"]["securitySchemes"]["UserToken"];
        assert_eq!((&scheme["type"], &scheme["name"]), (&json!("apiKey"), &json!("X-User-Token")));
        assert_eq!(scheme.get("scheme"), None);
    }
}
