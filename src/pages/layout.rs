//! The parts that all pages share: the frame around their content, and the assets' addresses.

use super::{
    file::File,
    table::{ASSETS, PAGES, Page, Words},
    theme,
};
use crate::config::Config;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

const LAYOUT: &str = include_str!("assets/layout.html");

/// The frame's own words, by language.
const FRAME: [(&str, &str); 2] =
    [("en", include_str!("assets/layout.en.json")), ("vi", include_str!("assets/layout.vi.json"))];

/// The data that the pages are rendered with.
pub(super) struct Layout {
    /// The values from the settings, by the names of their places.
    settings: BTreeMap<&'static str, String>,
    links: String,
    /// Asset names with the hash, by names without it.
    names: HashMap<&'static str, String>,
    files: HashMap<String, File>,
}

impl Layout {
    pub(super) fn new(config: &Config) -> Self {
        let pages = &config.pages;
        let settings = BTreeMap::from([
            ("title", pages.title.clone()),
            ("robots", pages.robots.clone()),
            ("public_url", pages.public_url.clone().unwrap_or_default()),
            ("anonymous_per_day", config.anonymous.per_day.to_string()),
            ("anonymous_burst", config.anonymous.burst.size.to_string()),
        ]);
        let link = |link: &crate::config::LinkConfig| anchor(&link.url, &link.text, "");
        let links = pages.links.iter().map(link).collect();
        let mut layout = Self { settings, links, names: HashMap::new(), files: HashMap::new() };
        layout.add("theme.css", theme::style_sheet(pages.accent()).into_bytes());
        for asset in ASSETS {
            let bytes = match str::from_utf8(asset.bytes) {
                Ok(text) => filled(text, |place| layout.address(place)).into_bytes(),
                Err(_) => asset.bytes.to_vec(),
            };
            layout.add(asset.name, bytes);
        }
        layout
    }

    /// The page in one of its languages. If its reader chose the language, links keep it.
    pub(super) fn render(&self, page: &Page, words: &Words, chosen: bool) -> String {
        let texts = texts(words.json);
        let frame = FRAME.iter().find(|(tag, _)| *tag == words.tag).map_or(FRAME[0].1, |(_, json)| json);
        let frame = self::texts(frame);
        filled(LAYOUT, |place| {
            Some(match place {
                "styles" => self.styles(page),
                "scripts" => self.scripts(page),
                "navigation" => navigation(page, words.tag, chosen),
                "languages" => languages(page, words.tag, &frame),
                "links" => self.links.clone(),
                "content" => filled(page.content, |place| match place {
                    "words_json" => Some(words.json.trim().replace('<', "\\u003c")),
                    _ => self.word(place, words.tag, &texts),
                }),
                _ => frame.get(place).map(|text| escaped(text)).or_else(|| self.word(place, words.tag, &texts))?,
            })
        })
    }

    /// Every asset, by its name with the hash.
    pub(super) fn into_files(self) -> HashMap<String, File> {
        self.files
    }

    fn add(&mut self, name: &'static str, bytes: Vec<u8>) {
        let file = File::new(content_type(name), bytes);
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        let hashed = format!("{stem}.{}.{ending}", file.hash());
        self.names.insert(name, hashed.clone());
        self.files.insert(hashed, file);
    }

    /// `asset:base.css` is `/assets/base.0123456789abcdef.css`.
    fn address(&self, place: &str) -> Option<String> {
        self.names.get(place.strip_prefix("asset:")?).map(|name| format!("/assets/{name}"))
    }

    fn word(&self, place: &str, tag: &str, texts: &BTreeMap<String, String>) -> Option<String> {
        let text = texts.get(place).or_else(|| self.settings.get(place)).map(|text| escaped(text));
        text.or_else(|| (place == "lang").then(|| tag.to_owned())).or_else(|| self.address(place))
    }

    fn styles(&self, page: &Page) -> String {
        let all = ["base.css", "theme.css"].into_iter().chain(page.styles.iter().copied());
        let addresses = all.filter_map(|name| self.address(&format!("asset:{name}")));
        addresses.map(|address| format!("<link rel=\"stylesheet\" href=\"{address}\">\n")).collect::<Vec<_>>().concat()
    }

    fn scripts(&self, page: &Page) -> String {
        let addresses = page.scripts.iter().filter_map(|name| self.address(&format!("asset:{name}")));
        addresses
            .map(|address| format!("<script type=\"module\" src=\"{address}\"></script>\n"))
            .collect::<Vec<_>>()
            .concat()
    }
}

/// Every page by its name, in the reader's language where it has it.
fn navigation(current: &Page, tag: &str, chosen: bool) -> String {
    let link = |page: &Page| {
        let same = page.languages.iter().find(|words| words.tag == tag);
        let name = same.or_else(|| page.languages.first()).and_then(|words| texts(words.json).remove("name"));
        let keeps = chosen && same.is_some() && page.languages.len() > 1;
        let address = if keeps { format!("{}?lang={tag}", page.path) } else { page.path.to_owned() };
        let here = if page.path == current.path { " aria-current=\"page\"" } else { "" };
        // A name in another language is marked, so that it is read out in that language.
        let foreign = page.languages.first().filter(|_| same.is_none());
        let tongue = foreign.map_or_else(String::new, |words| format!(" lang=\"{0}\" hreflang=\"{0}\"", words.tag));
        anchor(&address, &name.unwrap_or_default(), &format!("{here}{tongue}"))
    };
    PAGES.iter().map(link).collect()
}

/// The language switch, if there is a choice.
fn languages(page: &Page, tag: &str, frame: &BTreeMap<String, String>) -> String {
    if page.languages.len() < 2 {
        return String::new();
    }
    let link = |words: &Words| {
        let own = FRAME.iter().find(|(tag, _)| *tag == words.tag).and_then(|(_, json)| texts(json).remove("language"));
        let here = if words.tag == tag { " aria-current=\"true\"" } else { "" };
        let attributes = format!(" lang=\"{0}\" hreflang=\"{0}\"{here}", words.tag);
        anchor(&format!("?lang={}", words.tag), &own.unwrap_or_default(), &attributes)
    };
    let links: String = page.languages.iter().map(link).collect();
    let label = frame.get("languages_label").map(|text| escaped(text)).unwrap_or_default();
    format!("<nav class=\"languages\" aria-label=\"{label}\">{links}</nav>")
}

fn anchor(address: &str, text: &str, attributes: &str) -> String {
    format!("<a href=\"{}\"{attributes}>{}</a>\n", escaped(address), escaped(text))
}

/// The text with each `{{place}}` filled. An unknown place stays as it is, and a test finds it.
pub(super) fn filled(text: &str, word: impl Fn(&str) -> Option<String>) -> String {
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        done.push_str(before);
        let found = after.split_once("}}").and_then(|(place, after)| Some((word(place)?, after)));
        if let Some((word, after)) = found {
            done.push_str(&word);
            rest = after;
        } else {
            done.push_str("{{");
            rest = after;
        }
    }
    done.push_str(rest);
    done
}

fn texts(json: &str) -> BTreeMap<String, String> {
    let parsed: BTreeMap<String, Value> = serde_json::from_str(json).unwrap_or_default();
    parsed.into_iter().filter_map(|(name, text)| Some((name, text.as_str()?.to_owned()))).collect()
}

/// For text and for attributes in double quotes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg") => "image/jpeg",
        Some("webp") => "image/webp",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
