//! Every page and every asset. To add a page, add a row to [`PAGES`]: the page is then served, and named in the
//! navigation.

/// One page.
pub(super) struct Page {
    /// Its path.
    pub(super) path: &'static str,
    /// The content of `<main>`.
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
pub(super) const PAGES: &[Page] = &[
    Page {
        path: "/",
        content: include_str!("assets/try.html"),
        styles: &["shared.css", "try.css"],
        scripts: &["try.js"],
        languages: &[
            Words { tag: "en", json: include_str!("assets/try.en.json") },
            Words { tag: "vi", json: include_str!("assets/try.vi.json") },
        ],
    },
    Page {
        path: "/usage",
        content: include_str!("assets/usage.html"),
        styles: &["shared.css", "usage.css"],
        scripts: &["usage.js"],
        languages: &[
            Words { tag: "en", json: include_str!("assets/usage.en.json") },
            Words { tag: "vi", json: include_str!("assets/usage.vi.json") },
        ],
    },
    Page {
        path: "/docs",
        content: include_str!("assets/docs.html"),
        styles: &["docs.css"],
        scripts: &["docs.js"],
        languages: &[Words { tag: "en", json: include_str!("assets/docs.en.json") }],
    },
];

pub(super) const ASSETS: &[Asset] = &[
    Asset { name: "icon.svg", bytes: include_bytes!("assets/icon.svg") },
    Asset { name: "base.css", bytes: include_bytes!("assets/base.css") },
    Asset { name: "common.js", bytes: include_bytes!("assets/common.js") },
    Asset { name: "shared.css", bytes: include_bytes!("assets/shared.css") },
    Asset { name: "words.js", bytes: include_bytes!("assets/words.js") },
    Asset { name: "access.js", bytes: include_bytes!("assets/access.js") },
    Asset { name: "answers.js", bytes: include_bytes!("assets/answers.js") },
    Asset { name: "code.js", bytes: include_bytes!("assets/code.js") },
    // For the page to try it.
    Asset { name: "mug.jpg", bytes: include_bytes!("../../deploy/sample/mug.jpg") },
    Asset { name: "picture.js", bytes: include_bytes!("assets/picture.js") },
    Asset { name: "samples.js", bytes: include_bytes!("assets/samples.js") },
    Asset { name: "viewer.js", bytes: include_bytes!("assets/viewer.js") },
    Asset { name: "try.css", bytes: include_bytes!("assets/try.css") },
    Asset { name: "try.js", bytes: include_bytes!("assets/try.js") },
    // For the usage page.
    Asset { name: "chart.js", bytes: include_bytes!("assets/chart.js") },
    Asset { name: "usage.css", bytes: include_bytes!("assets/usage.css") },
    Asset { name: "usage.js", bytes: include_bytes!("assets/usage.js") },
    // For the reference.
    Asset { name: "docs.css", bytes: include_bytes!("assets/docs.css") },
    Asset { name: "docs-schema.js", bytes: include_bytes!("assets/docs-schema.js") },
    Asset { name: "docs-code.js", bytes: include_bytes!("assets/docs-code.js") },
    Asset { name: "docs-try.js", bytes: include_bytes!("assets/docs-try.js") },
    Asset { name: "docs.js", bytes: include_bytes!("assets/docs.js") },
];
