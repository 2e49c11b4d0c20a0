//! A URL that a caller names as the source of a picture, judged by what is written in it. Nothing is looked up.

use std::{fmt, net::IpAddr};
use url::{Host, Url};

/// Bytes of the longest that is read; addresses signed for a while are long.
const LONGEST: usize = 8 * 1024;
/// Bytes of the longest host name that the DNS has.
const LONGEST_NAME: usize = 253;

/// An http or https address without a user or password. Its path and query may be secrets: neither is shown by `Display`
/// or `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct PictureUrl(Url);

/// Why a text is no address that a picture is fetched from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no http or https address without a user or password")]
pub struct NoPictureUrl;

/// The host of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlHost<'a> {
    /// A name to look up, in ASCII.
    Name(&'a str),
    /// An address. An IPv4 one may have been written in any form that browsers take: `0x7f.1` is 127.0.0.1.
    Address(IpAddr),
}

impl PictureUrl {
    /// Reads a URL as browsers do.
    pub fn parse(text: &str) -> Result<Self, NoPictureUrl> {
        if text.len() > LONGEST {
            return Err(NoPictureUrl);
        }
        Self::judged(Url::parse(text).map_err(|_| NoPictureUrl)?)
    }

    /// Where a redirect from here leads.
    pub fn redirected(&self, location: &str) -> Result<Self, NoPictureUrl> {
        if location.len() > LONGEST {
            return Err(NoPictureUrl);
        }
        Self::judged(self.0.join(location).map_err(|_| NoPictureUrl)?)
    }

    fn judged(mut url: Url) -> Result<Self, NoPictureUrl> {
        let is_http = matches!(url.scheme(), "http" | "https");
        let has_user = !url.username().is_empty() || url.password().is_some();
        let is_host = match url.host() {
            Some(Host::Domain(name)) => is_name(name),
            Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
            None => false,
        };
        url.set_fragment(None);
        if is_http && !has_user && is_host { Ok(Self(url)) } else { Err(NoPictureUrl) }
    }

    /// Whether the connection is to be encrypted.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// What to look up.
    #[must_use]
    pub fn host(&self) -> UrlHost<'_> {
        match self.0.host() {
            Some(Host::Ipv4(v4)) => UrlHost::Address(v4.into()),
            Some(Host::Ipv6(v6)) => UrlHost::Address(v6.into()),
            Some(Host::Domain(name)) => UrlHost::Name(name),
            None => UrlHost::Name(""),
        }
    }

    /// The port that is named, or the scheme's own.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(if self.is_https() { 443 } else { 80 })
    }

    /// The host as in a `Host` header: the port follows unless it is the scheme's own.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.0.authority()
    }

    /// Path and query, as a request names them.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        &self.0[url::Position::BeforePath..url::Position::AfterQuery]
    }
}

/// Letters, digits, hyphens, underscores and dots. Internationalised names are in ASCII by now.
fn is_name(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=LONGEST_NAME + 1).contains(&name.len()) && name.bytes().all(known) && !name.starts_with('.')
}

impl fmt::Display for PictureUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.authority())
    }
}

impl fmt::Debug for PictureUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_web_address_or_names_a_user_is_refused() {
        for text in [
            "",
            "a.png",
            "/a.png",
            "//example.com/a.png",
            "example.com/a.png",
            "ftp://example.com/a.png",
            "file:///etc/passwd",
            "gopher://127.0.0.1:6379/_FLUSHALL",
            "data:image/png;base64,AAAA",
            "javascript:alert(1)",
            "http://",
            "http://?a",
            "http://ann@example.com/",
            "http://ann:hush@example.com/",
            "https://:hush@example.com/",
            "http://example.com:99999/",
            "http://1.2.3.4.5/",
            "http://256.256.256.256/",
            "http://[::1/",
            "http://[fe80::1%25eth0]/",
            "http://exa mple.com/",
            "http://exa$mple.com/",
            "http://.example.com/",
            "http://xn--/",
        ] {
            assert_eq!(PictureUrl::parse(text), Err(NoPictureUrl), "{text}");
        }
        assert_eq!(PictureUrl::parse(&format!("http://example.com/{}", "a".repeat(LONGEST))), Err(NoPictureUrl));
        let here = PictureUrl::parse("https://example.com/a").unwrap();
        for location in ["file:///etc/passwd", "http://ann:hush@example.com/", "gopher://example.com/", "http://"] {
            assert_eq!(here.redirected(location), Err(NoPictureUrl), "{location}");
        }
    }

    #[test]
    fn addresses_are_addresses_however_they_are_written() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f.1",
            "0177.0.0.1",
            "0x7f000001",
            "１２７.0.0.1",
            "127。0。0。1",
            "%31%32%37.0.0.1",
            "127.0.0.1.",
        ] {
            let url = PictureUrl::parse(&format!("http://{host}/a.png")).unwrap();
            assert_eq!(url.host(), UrlHost::Address([127, 0, 0, 1].into()), "{host}");
        }
        let url = PictureUrl::parse("http://[::ffff:127.0.0.1]:8080/").unwrap();
        assert_eq!(url.host(), UrlHost::Address("::ffff:127.0.0.1".parse().unwrap()));
        assert_eq!((url.port(), url.authority()), (8080, "[::ffff:7f00:1]:8080"));
    }

    #[test]
    fn the_parts_are_those_that_a_request_needs() {
        for (text, https, host, port, authority, path) in [
            ("http://example.com", false, "example.com", 80, "example.com", "/"),
            ("HTTPS://Example.COM:443/a?b#c", true, "example.com", 443, "example.com", "/a?b"),
            ("https://a_b.example:8443/a b?c d", true, "a_b.example", 8443, "a_b.example:8443", "/a%20b?c%20d"),
            ("http://bücher.example/ü", false, "xn--bcher-kva.example", 80, "xn--bcher-kva.example", "/%C3%BC"),
            (" http:\\\\example.com.\\a\n", false, "example.com.", 80, "example.com.", "/a"),
        ] {
            let url = PictureUrl::parse(text).unwrap();
            let parts = (url.is_https(), url.host(), url.port(), url.authority(), url.path_and_query());
            assert_eq!(parts, (https, UrlHost::Name(host), port, authority, path), "{text}");
        }
    }

    #[test]
    fn a_redirect_is_read_from_where_it_comes() {
        let here = PictureUrl::parse("https://example.com/a/b?c").unwrap();
        for (location, there, path) in [
            ("d", "https://example.com", "/a/d"),
            ("/d?e", "https://example.com", "/d?e"),
            ("//other.example/", "https://other.example", "/"),
            ("http://127.1:8080/x", "http://127.0.0.1:8080", "/x"),
            ("", "https://example.com", "/a/b?c"),
        ] {
            let url = here.redirected(location).unwrap();
            assert_eq!((url.to_string().as_str(), url.path_and_query()), (there, path), "{location}");
        }
    }

    #[test]
    fn path_and_query_are_not_shown() {
        let url = PictureUrl::parse("https://example.com/hush?token=hush").unwrap();
        assert_eq!(format!("{url} {url:?}"), "https://example.com https://example.com");
    }

    proptest! {
        #[test]
        fn whatever_is_taken_can_be_requested(text in "https?://[^/]{1,12}(:[0-9]{1,5})?(/.{0,20})?(\\?.{0,20})?") {
            if let Ok(url) = PictureUrl::parse(&text) {
                prop_assert!(url.path_and_query().parse::<hyper::http::uri::PathAndQuery>().is_ok(), "{}", url.path_and_query());
                prop_assert!(url.authority().parse::<hyper::http::uri::Authority>().is_ok(), "{}", url.authority());
                prop_assert!(!url.authority().contains('@'));
            }
        }
    }
}
