//! What every page and every asset must be.

use super::*;
use crate::config::LinkConfig;
use std::collections::BTreeMap;

fn texts(pages: &Pages) -> Vec<String> {
    let all =
        pages.pages.iter().flat_map(|page| &page.variants).map(|variant| &variant.file).chain(pages.assets.values());
    all.filter_map(|file| Some(str::from_utf8(file.plain()).ok()?.to_owned())).collect()
}

#[test]
fn every_place_is_filled_and_every_address_leads_to_an_asset() {
    let pages = Pages::new(&Config::default());
    let mut assets = 0;
    for text in texts(&pages) {
        assert!(!text.contains("{{"), "{text}");
        for (at, _) in text.match_indices("/assets/") {
            let name = text[at + 8..].split(['"', '\'', ')']).next().unwrap_or_default();
            assert!(pages.asset(name).is_some(), "{name}");
            assets += 1;
        }
    }
    assert!(assets >= 3, "{assets}");
}

#[test]
fn nothing_of_a_page_is_elsewhere_or_inline() {
    for text in texts(&Pages::new(&Config::default())) {
        for forbidden in ["<style", " style=", " onclick=", " onload=", "javascript:", "@import"] {
            assert!(!text.contains(forbidden), "{forbidden} in {text}");
        }
        for (at, _) in text.match_indices("<script") {
            let tag = text[at..].split('>').next().unwrap_or_default();
            assert!(tag.contains("src=\"/assets/") || tag.contains("type=\"application/json\""), "{tag}");
        }
    }
}

#[test]
fn what_the_operator_writes_is_text() {
    let mut config = Config::default();
    let hostile = "\"><script>alert(1)</script>";
    config.pages.title = hostile.into();
    config.pages.links = vec![LinkConfig { text: hostile.into(), url: "/a?b=\"c".into() }];
    let pages = Pages::new(&config);
    for page in &pages.pages {
        for variant in &page.variants {
            let text = String::from_utf8_lossy(variant.file.plain()).into_owned();
            assert!(!text.contains(hostile) && text.contains("&quot;&gt;&lt;script&gt;"), "{text}");
            assert!(text.contains("href=\"/a?b=&quot;c\""), "{text}");
        }
    }
}

/// The assets that a text names, those that they name, and so on.
fn loaded<'a>(pages: &'a Pages, text: &str, found: &mut BTreeMap<&'a str, &'a File>) {
    for (name, file) in &pages.assets {
        if text.contains(name.as_str()) && found.insert(name, file).is_none() {
            loaded(pages, &String::from_utf8_lossy(file.plain()), found);
        }
    }
}

#[test]
fn every_page_is_small() {
    let pages = Pages::new(&Config::default());
    let size = |file: &File| file.gzipped().unwrap_or(file.plain()).len();
    for page in &pages.pages {
        for variant in &page.variants {
            let mut found = BTreeMap::new();
            loaded(&pages, &String::from_utf8_lossy(variant.file.plain()), &mut found);
            // The scripts that need the sample picture fetch it.
            let own = found.iter().filter(|(name, _)| !name.starts_with("mug."));
            let all = size(&variant.file) + own.map(|(_, file)| size(file)).sum::<usize>();
            assert!(all < 60_000, "{}: {all}", page.path);
        }
    }
}

#[test]
fn the_languages_of_a_page_say_the_same_things() {
    for page in table::PAGES {
        let words = |words: &table::Words| -> BTreeMap<String, serde_json::Value> {
            serde_json::from_str(words.json).unwrap_or_else(|error| panic!("{} {}: {error}", page.path, words.tag))
        };
        let names: Vec<_> = words(&page.languages[0]).into_keys().collect();
        for language in page.languages {
            let own = words(language);
            assert_eq!(own.keys().cloned().collect::<Vec<_>>(), names, "{} {}", page.path, language.tag);
            // The scripts' own texts are in an object of their own.
            let said = |all: &BTreeMap<String, serde_json::Value>| -> Option<Vec<String>> {
                Some(all.get("say")?.as_object()?.keys().cloned().collect())
            };
            assert_eq!(said(&own), said(&words(&page.languages[0])), "{} {}", page.path, language.tag);
            for needed in ["name", "description"] {
                assert!(own[needed].is_string(), "{} {}: {needed}", page.path, language.tag);
            }
        }
    }
}

#[test]
fn without_pages_there_is_nothing() {
    let mut config = Config::default();
    config.pages.enabled = false;
    let pages = Pages::new(&config);
    assert!(pages.paths().next().is_none() && pages.page("/docs", "", "").is_none() && pages.assets.is_empty());
}
