//! The APIs of others that are spoken here: their routes, credentials and answers. The journey between is the one of
//! `POST /rmbg`.

pub(super) mod rembg;
pub(super) mod removebg;

use super::dialect_headers::IGNORED_PARAMETERS;
use hyper::header::{HeaderMap, HeaderValue};

/// Lists the names. Of a name, only what may stand in a header's list is shown.
fn list_ignored(headers: &mut HeaderMap, names: &[String]) {
    let shown = |c: char| if c.is_ascii_alphanumeric() || "_-.[]".contains(c) { c } else { '?' };
    let names: Vec<String> = names.iter().map(|name| name.chars().take(64).map(shown).collect()).collect();
    if let (false, Ok(value)) = (names.is_empty(), HeaderValue::try_from(names.join(", "))) {
        headers.insert(IGNORED_PARAMETERS, value);
    }
}
