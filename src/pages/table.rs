//! Every page and every asset. Another page is another row of [`PAGES`]; it is served, and named in the navigation.

/// One page.
pub(super) struct Page {
    /// Where it is.
    pub(super) path: &'static str,
    /// What is in `<main>`.
    pub(super) content: &'static str,
    /// Style sheets beside `base.css`: names of [`ASSETS`].
    pub(super) styles: &'static [&'static str],
    /// Scripts, loaded as modules: names of [`ASSETS`].
    pub(super) scripts: &'static [&'static str],
    /// Its languages, the first for readers of none of them.
    pub(super) languages: &'static [Words],
}

/// The words of a page in one language.
pub(super) struct Words {
    /// `en`, `vi`.
    pub(super) tag: &'static str,
    /// A JSON object of texts. `name` (for the navigation and the title) and `description` are needed; `{{words_json}}` is
    /// the whole object, for scripts: `<script type="application/json" id="words">{{words_json}}</script>`.
    pub(super) json: &'static str,
}

/// A file that pages load from `/assets/`.
pub(super) struct Asset {
    /// Without the hash. Its ending tells its type.
    pub(super) name: &'static str,
    /// Text may have places like `{{asset:other.js}}` for assets above it in the table.
    pub(super) bytes: &'static [u8],
}

/// In the order of the navigation.
pub(super) const PAGES: &[Page] = &[Page {
    path: "/docs",
    content: include_str!("assets/docs.html"),
    styles: &["docs.css"],
    scripts: &["docs.js"],
    languages: &[Words { tag: "en", json: include_str!("assets/docs.en.json") }],
}];

pub(super) const ASSETS: &[Asset] = &[
    Asset { name: "icon.svg", bytes: include_bytes!("assets/icon.svg") },
    Asset { name: "base.css", bytes: include_bytes!("assets/base.css") },
    Asset { name: "common.js", bytes: include_bytes!("assets/common.js") },
    Asset { name: "docs.css", bytes: include_bytes!("assets/docs.css") },
    Asset { name: "docs-schema.js", bytes: include_bytes!("assets/docs-schema.js") },
    Asset { name: "docs-code.js", bytes: include_bytes!("assets/docs-code.js") },
    Asset { name: "docs-try.js", bytes: include_bytes!("assets/docs-try.js") },
    Asset { name: "docs.js", bytes: include_bytes!("assets/docs.js") },
];
