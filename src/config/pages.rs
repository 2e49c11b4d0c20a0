//! `[pages]`

use super::cors::is_origin;
use hyper::{Uri, http::uri::PathAndQuery};
use serde::{Deserialize, Serialize};

/// Characters of the longest title and of the longest text of a link.
const LONGEST_TITLE: usize = 80;

/// The most links that fit beside the pages' own names.
const MOST_LINKS: usize = 8;

/// The directives that search engines understand in `robots`.
const DIRECTIVES: [&str; 9] =
    ["all", "index", "follow", "noindex", "nofollow", "none", "noarchive", "nosnippet", "noimageindex"];

/// `[pages]`: the pages for browsers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, expecting = "a section")]
pub struct PagesConfig {
    /// Whether the pages are served. The document at `/api/openapi` is served in any case.
    pub enabled: bool,
    /// The address under which callers reach this gateway, such as `https://api.example.com`. The document and the
    /// examples name it.
    pub public_url: Option<String>,
    /// The name of the service.
    pub title: String,
    /// Its colour, `#RRGGBB`. Where it would be hard to read, a darker or lighter shade of it is shown.
    pub accent: String,
    /// Links beside the names of the pages.
    pub links: Vec<LinkConfig>,
    /// The directives for search engines, as in `<meta name="robots">`.
    pub robots: String,
}

/// One of `pages.links`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(expecting = "a link such as { text = \"Pricing\", url = \"https://example.com/pricing\" }")]
pub struct LinkConfig {
    /// The text that is shown.
    pub text: String,
    /// Its destination: an `https:` address or a path.
    pub url: String,
}

impl Default for PagesConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            public_url: None,
            title: "Background removal".into(),
            accent: "#2357D9".into(),
            links: Vec::new(),
            robots: "noindex".into(),
        }
    }
}

impl PagesConfig {
    /// Red, green and blue of the accent; black if it is not a colour.
    #[must_use]
    pub fn accent(&self) -> [u8; 3] {
        let digits = self.accent.strip_prefix('#').filter(|digits| digits.len() == 6);
        let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or_default();
        let [_, red, green, blue] = number.to_be_bytes();
        [red, green, blue]
    }

    /// Every fault, with the name of its setting.
    pub(super) fn complaints(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut require = |path: &str, holds: bool, fault: String| {
            if !holds {
                found.push((path.to_owned(), fault));
            }
        };
        require("title", is_text(&self.title), format!("must be 1 to {LONGEST_TITLE} characters in one line"));
        let origin = self.public_url.as_deref().is_none_or(|url| url != "*" && is_origin(url));
        let fault = "must be an address such as \"https://api.example.com\", in lower case and without a path";
        require("public_url", origin, fault.into());
        let digits = self.accent.strip_prefix('#').unwrap_or_default();
        let is_colour = digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        require("accent", is_colour, "must be a colour such as \"#2357D9\"".into());
        let known = |word: &str| DIRECTIVES.contains(&word.trim());
        let fault = format!("must be one or more of {}, with commas between", DIRECTIVES.join(", "));
        require("robots", self.robots.split(',').all(known), fault);
        require("links", self.links.len() <= MOST_LINKS, format!("must be at most {MOST_LINKS} links"));
        for (index, link) in self.links.iter().enumerate() {
            let fault = format!("must be 1 to {LONGEST_TITLE} characters in one line");
            require(&format!("links[{index}].text"), is_text(&link.text), fault);
            let fault = "must be an https: address or a path such as \"/pricing\"";
            require(&format!("links[{index}].url"), is_destination(&link.url), fault.into());
        }
        found
    }
}

fn is_text(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= LONGEST_TITLE && !text.chars().any(char::is_control)
}

/// Browsers take `//host` and `/\host` for addresses of other hosts.
fn is_destination(text: &str) -> bool {
    if text.starts_with('/') {
        return !text.starts_with("//") && !text.contains('\\') && text.parse::<PathAndQuery>().is_ok();
    }
    let address = text.parse::<Uri>();
    address.is_ok_and(|address| {
        address.scheme_str() == Some("https") && address.authority().is_some_and(|host| !host.as_str().contains('@'))
    })
}
