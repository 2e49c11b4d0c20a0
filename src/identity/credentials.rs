//! The credentials of a request (contract, section 2).

use crate::domain::refusal::Refusal;
use hyper::{
    HeaderMap,
    header::{AUTHORIZATION, HeaderName, HeaderValue},
};
use secrecy::SecretString;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The credentials that a request carries, not verified yet.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// An API key.
    Key(SecretString),
    /// A signed-in user's token.
    Token(SecretString),
    /// Neither: an anonymous caller.
    None,
}

impl Credentials {
    /// Reads the headers, before anything is verified. Tokens come in `token_header`.
    ///
    /// An `x-api-key` and a bearer token together are [`Refusal::KeyAndToken`], whatever either holds. A header that is
    /// present but cannot hold credentials, because it is empty, not visible ASCII, or sent twice, is refused like
    /// wrong credentials: a caller who meant to identify itself is never served as an anonymous one. An `Authorization`
    /// with another scheme, such as the `Basic` of a proxy in front, is not meant for us and does not count. Where
    /// tokens have a header of their own, everything in it is meant as a token, and `Authorization` does not count.
    pub fn from_headers(headers: &HeaderMap, token_header: &HeaderName) -> Result<Self, Refusal> {
        Self::of(&keys(headers), &tokens(headers, token_header))
    }

    /// The same where a Bearer that is no JSON Web Token is an API key, and so is `in_query`.
    pub fn with_bearer_keys(
        headers: &HeaderMap,
        token_header: &HeaderName,
        in_query: Option<&str>,
    ) -> Result<Self, Refusal> {
        let bearers = headers.get_all(AUTHORIZATION).iter().filter_map(bearer);
        let bearer_keys = bearers.filter(|bearer| !is_token(bearer.trim_ascii()));
        let keys: Vec<_> = keys(headers).into_iter().chain(bearer_keys).chain(in_query.map(str::as_bytes)).collect();
        let mut tokens = tokens(headers, token_header);
        if *token_header == AUTHORIZATION {
            tokens.retain(|token| is_token(token.trim_ascii()));
        }
        Self::of(&keys, &tokens)
    }

    fn of(keys: &[&[u8]], tokens: &[&[u8]]) -> Result<Self, Refusal> {
        match (keys, tokens) {
            ([], []) => Ok(Self::None),
            ([key], []) => text(key).map(Self::Key).ok_or(Refusal::InvalidKey),
            ([], [token]) => text(token).map(Self::Token).ok_or(Refusal::InvalidToken),
            ([..], []) => Err(Refusal::InvalidKey),
            ([], [..]) => Err(Refusal::InvalidToken),
            ([..], [..]) => Err(Refusal::KeyAndToken),
        }
    }
}

fn keys(headers: &HeaderMap) -> Vec<&[u8]> {
    headers.get_all(API_KEY).iter().map(HeaderValue::as_bytes).collect()
}

fn tokens<'a>(headers: &'a HeaderMap, token_header: &HeaderName) -> Vec<&'a [u8]> {
    let is_own = *token_header != AUTHORIZATION;
    let token = |value: &'a HeaderValue| bearer(value).or(is_own.then_some(value.as_bytes()));
    headers.get_all(token_header).iter().filter_map(token).collect()
}

/// Whether a text has the form of a JSON Web Token: three texts in base64, of which only the last may be empty.
fn is_token(text: &[u8]) -> bool {
    let is_code = |part: &[u8]| part.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_=".contains(byte));
    let parts: Vec<&[u8]> = text.split(|byte| *byte == b'.').collect();
    matches!(parts[..], [head, body, seal] if !head.is_empty() && !body.is_empty() && [head, body, seal].into_iter().all(is_code))
}

/// The text behind the scheme `Bearer`, in any case.
fn bearer(header: &HeaderValue) -> Option<&[u8]> {
    let header = header.as_bytes().trim_ascii_start();
    let (scheme, rest) = header.split_at_checked(6)?;
    let is_bearer = scheme.eq_ignore_ascii_case(b"bearer") && rest.first().is_none_or(u8::is_ascii_whitespace);
    is_bearer.then_some(rest)
}

fn text(proof: &[u8]) -> Option<SecretString> {
    let proof = proof.trim_ascii();
    let visible = !proof.is_empty() && proof.iter().all(u8::is_ascii_graphic);
    visible.then(|| String::from_utf8_lossy(proof).into_owned().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    fn read(headers: &[(&'static str, &str)]) -> String {
        read_from("authorization", headers)
    }

    fn read_from(token_header: &'static str, headers: &[(&'static str, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        match Credentials::from_headers(&map, &HeaderName::from_static(token_header)) {
            Ok(Credentials::Key(key)) => format!("key {}", key.expose_secret()),
            Ok(Credentials::Token(token)) => format!("token {}", token.expose_secret()),
            Ok(Credentials::None) => "none".into(),
            Err(refusal) => refusal.reason().into(),
        }
    }

    #[test]
    fn one_proof_is_taken_as_it_is_and_two_kinds_are_a_mistake() {
        let key = ("x-api-key", "k-1");
        let token = ("authorization", "Bearer a.b.c");
        let cases: [(&[(&'static str, &str)], &str); 18] = [
            (&[], "none"),
            (&[key], "key k-1"),
            (&[("x-api-key", " k-1\t")], "key k-1"),
            (&[("x-api-key", "")], "invalid_key"),
            (&[("x-api-key", "k 1")], "invalid_key"),
            (&[("x-api-key", "k\u{e9}")], "invalid_key"),
            (&[key, key], "invalid_key"),
            (&[token], "token a.b.c"),
            (&[("authorization", "bEARER   a.b.c ")], "token a.b.c"),
            (&[("authorization", "Bearer")], "invalid_token"),
            (&[("authorization", "Bearer a b")], "invalid_token"),
            (&[token, token], "invalid_token"),
            (&[key, token], "key_and_token"),
            (&[("x-api-key", ""), ("authorization", "Bearer ")], "key_and_token"),
            (&[key, key, token], "key_and_token"),
            (&[("authorization", "Basic dTpw")], "none"),
            (&[key, ("authorization", "Basic dTpw")], "key k-1"),
            (&[token, ("authorization", "Basic dTpw")], "token a.b.c"),
        ];
        for (headers, expected) in cases {
            assert_eq!(read(headers), expected, "{headers:?}");
        }
        assert_eq!(read(&[("authorization", "Bearerx"), ("authorization", "")]), "none");
    }

    #[test]
    fn tokens_may_have_a_header_of_their_own() {
        let key = ("x-api-key", "k-1");
        let cases: [(&[(&'static str, &str)], &str); 7] = [
            (&[("x-user-token", "a.b.c")], "token a.b.c"),
            (&[("x-user-token", "Bearer a.b.c")], "token a.b.c"),
            (&[("x-user-token", "")], "invalid_token"),
            (&[("x-user-token", "a.b.c"), ("x-user-token", "a.b.c")], "invalid_token"),
            (&[key, ("x-user-token", "")], "key_and_token"),
            (&[("authorization", "Bearer a.b.c")], "none"),
            (&[key, ("authorization", "Bearer a.b.c")], "key k-1"),
        ];
        for (headers, expected) in cases {
            assert_eq!(read_from("x-user-token", headers), expected, "{headers:?}");
        }
    }
}
