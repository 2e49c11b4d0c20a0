//! Pages for people, their assets, and the description of the API: rendered once, at the start, and served from memory.
//! `pages/table.rs` names them all.
//!
//! A page is a piece of HTML within `assets/layout.html`. Both have places, `{{word}}`, which are filled, escaped, with
//! the words of the page's language and with values of the settings; `{{asset:base.css}}` is the address of an asset.

mod file;
mod language;
mod layout;
pub(crate) mod openapi;
mod table;
#[cfg(test)]
mod tests;
mod theme;

pub use file::File;

use crate::config::Config;
use layout::Layout;
use openapi::OpenApi;
use std::collections::HashMap;

/// Everything that is served to browsers.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "pages are what most of it is")]
pub struct Pages {
    pages: Vec<Page>,
    /// By their names with the hash: `base.0123456789abcdef.css`.
    assets: HashMap<String, File>,
    openapi: OpenApi,
}

/// One page in each of its languages.
#[derive(Debug)]
struct Page {
    path: &'static str,
    variants: Vec<Variant>,
}

#[derive(Debug)]
struct Variant {
    language: &'static str,
    /// Whether `?lang=` chose it: then the links to other pages keep the language.
    chosen: bool,
    file: File,
}

/// A page for one request.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// What to send.
    pub file: &'a File,
    /// The page's language, such as `en`.
    pub language: &'static str,
    /// Whether `Accept-Language` decides it.
    pub by_preference: bool,
}

impl Pages {
    /// Renders all of them. Without `pages.enabled` there is no page.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let openapi = OpenApi::new(config);
        if !config.pages.enabled {
            return Self { pages: Vec::new(), assets: HashMap::new(), openapi };
        }
        let layout = Layout::new(config);
        let page = |page: &table::Page| {
            let mut variants = Vec::new();
            for chosen in [false, true] {
                variants.extend(page.languages.iter().map(|words| Variant {
                    language: words.tag,
                    chosen,
                    file: File::new("text/html; charset=utf-8", layout.render(page, words, chosen).into_bytes()),
                }));
            }
            Page { path: page.path, variants }
        };
        Self { pages: table::PAGES.iter().map(page).collect(), assets: layout.into_files(), openapi }
    }

    /// The paths of the pages.
    pub fn paths(&self) -> impl Iterator<Item = &'static str> {
        self.pages.iter().map(|page| page.path)
    }

    /// The page at this path, in the language of `?lang=`, else the one that the reader prefers, else its first.
    #[must_use]
    pub fn page(&self, path: &str, query: &str, accept_language: &str) -> Option<Found<'_>> {
        let page = self.pages.iter().find(|page| page.path == path)?;
        let tags: Vec<_> = page.variants.iter().map(|variant| variant.language).collect();
        let chosen = language::chosen(query, &tags);
        let language =
            chosen.or_else(|| language::preferred(accept_language, &tags)).or_else(|| tags.first().copied())?;
        let fits = |variant: &&Variant| variant.language == language && variant.chosen == chosen.is_some();
        let by_preference = chosen.is_none() && tags.iter().any(|tag| *tag != language);
        Some(Found { file: &page.variants.iter().find(fits)?.file, language, by_preference })
    }

    /// The description of the API.
    #[must_use]
    pub fn openapi(&self) -> &OpenApi {
        &self.openapi
    }

    /// The asset of this name, hash included.
    #[must_use]
    pub fn asset(&self, name: &str) -> Option<&File> {
        self.assets.get(name)
    }
}
