//! `[auth.user_token]`

use super::{check::http_address, secrets};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize};
use std::path::PathBuf;

/// HS256 is only as strong as its secret: RFC 7518 asks for as many bits as the hash has.
pub const SHORTEST_SECRET_BYTES: usize = 32;
const LONGEST_LEEWAY_S: u32 = 300;

/// `[auth.user_token]`: the settings of the first issuer, and those for all issuers. Off until `issuer` is set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, expecting = "a section")]
pub struct UserTokenConfig {
    /// The header in which callers send `Bearer TOKEN`.
    pub header: String,
    /// Whether the first valid token of an unknown user makes an account on the default plan.
    pub create_accounts: bool,
    /// Seconds that the issuer's clock and ours may differ.
    pub leeway_s: u32,
    /// See [`IssuerConfig::issuer`].
    pub issuer: String,
    /// See [`IssuerConfig::preset`].
    pub preset: Option<Preset>,
    /// See [`IssuerConfig::audience`].
    #[serde(deserialize_with = "one_or_many")]
    pub audience: Vec<String>,
    /// See [`IssuerConfig::authorized_parties`].
    pub authorized_parties: Vec<String>,
    /// See [`IssuerConfig::jwks_url`].
    pub jwks_url: Option<String>,
    /// See [`IssuerConfig::jwks_file`].
    pub jwks_file: Option<PathBuf>,
    /// See [`IssuerConfig::hs256_secret`].
    #[serde(with = "secrets")]
    pub hs256_secret: Option<SecretString>,
    /// See [`IssuerConfig::hs256_secret_file`].
    pub hs256_secret_file: Option<PathBuf>,
    /// See [`IssuerConfig::email_verified_claim`].
    #[serde(deserialize_with = "one_or_many")]
    pub email_verified_claim: Vec<String>,
    /// Further issuers, `[[auth.user_token.more]]`, each with a `uid_prefix`.
    pub more: Vec<IssuerConfig>,
}

impl Default for UserTokenConfig {
    fn default() -> Self {
        Self {
            header: "authorization".into(),
            create_accounts: true,
            leeway_s: 30,
            issuer: String::new(),
            preset: None,
            audience: Vec::new(),
            authorized_parties: Vec::new(),
            jwks_url: None,
            jwks_file: None,
            hs256_secret: None,
            hs256_secret_file: None,
            email_verified_claim: Vec::new(),
            more: Vec::new(),
        }
    }
}

/// One issuer of user tokens. Its keys come from exactly one of the four sources, or from the source that the preset
/// knows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, expecting = "a section")]
pub struct IssuerConfig {
    /// The `iss` of its tokens, to the letter (Auth0's ends in a slash).
    pub issuer: String,
    /// A kind of issuer with known conventions: where its keys are, where `email_verified` is, which other checks
    /// apply.
    pub preset: Option<Preset>,
    /// Tokens must be meant for one of these (`aud`). May be empty only with `authorized_parties`.
    #[serde(deserialize_with = "one_or_many")]
    pub audience: Vec<String>,
    /// If not empty, tokens must have been asked for by one of these (`azp`).
    pub authorized_parties: Vec<String>,
    /// Where its public keys are published.
    pub jwks_url: Option<String>,
    /// A file with its public keys; read again when it changes.
    pub jwks_file: Option<PathBuf>,
    /// A secret shared with the issuer, 32 bytes or more, for HS256.
    #[serde(with = "secrets")]
    pub hs256_secret: Option<SecretString>,
    /// A file that holds the secret.
    pub hs256_secret_file: Option<PathBuf>,
    /// The claim that says whether the e-mail address is verified; of several, the first that a token has. A name, or
    /// with a leading slash a JSON pointer. A token without it falls back to the account's own record.
    #[serde(deserialize_with = "one_or_many")]
    pub email_verified_claim: Vec<String>,
    /// Put before each `sub` to make the account's id, so that two issuers' users never share an account.
    pub uid_prefix: String,
}

/// Kinds of issuer with known conventions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Firebase ID tokens: issuer `https://securetoken.google.com/PROJECT`, audience `PROJECT`. `email_verified` is in
    /// every token. `auth_time` is checked, anonymous sign-ins are refused.
    Firebase,
    /// Auth0: issuer `https://TENANT/` with its slash, audience the API's identifier. ID tokens have `email_verified`;
    /// access tokens only if an Action adds it, often under a URL: name that in `email_verified_claim`.
    Auth0,
    /// Clerk session tokens: issuer the Frontend API's URL. They have no audience: list your origins in
    /// `authorized_parties`. Add the claim `"email_verified": "{{user.email_verified}}"` to the session token.
    Clerk,
    /// Supabase: issuer `https://REF.supabase.co/auth/v1`, audience `authenticated`. Its own `email_verified` is in
    /// `user_metadata`, which users may edit, so it is not believed: add a claim `email_verified` with a custom access
    /// token hook, or keep it in `app_metadata`. Anonymous users and other roles are refused.
    Supabase,
}

impl UserTokenConfig {
    /// Whether user tokens are accepted at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.issuer.is_empty()
    }

    /// Every issuer, the first one without a prefix; none when user tokens are off.
    #[must_use]
    pub fn issuers(&self) -> Vec<IssuerConfig> {
        if self.is_on() { [self.first()].into_iter().chain(self.more.iter().cloned()).collect() } else { Vec::new() }
    }

    /// Every fault, as the setting's path and a message.
    #[must_use]
    pub fn complaints(&self) -> Vec<(String, String)> {
        let mut found = Complaints { below: "auth.user_token.".into(), all: Vec::new() };
        if self.header.is_empty()
            || !self.header.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        {
            found.add("header", "must be a header name, such as \"authorization\"");
        }
        if means_something(&self.header) {
            let fault =
                format!("\"{}\" has another meaning; use another header, such as \"x-user-token\"", self.header);
            found.add("header", &fault);
        }
        if self.leeway_s > LONGEST_LEEWAY_S {
            found.add("leeway_s", "must be at most 300, because expired tokens are accepted for that long");
        }
        if self.is_on() {
            self.first().complain(&mut found);
        } else if self.names_an_issuer_otherwise() {
            found.add("issuer", "must be set, or user tokens stay off");
        }
        for (index, issuer) in self.more.iter().enumerate() {
            found.below = format!("auth.user_token.more[{index}].");
            issuer.complain(&mut found);
            self.complain_of_likeness(index, &mut found);
        }
        found.all
    }

    fn first(&self) -> IssuerConfig {
        IssuerConfig {
            issuer: self.issuer.clone(),
            preset: self.preset,
            audience: self.audience.clone(),
            authorized_parties: self.authorized_parties.clone(),
            jwks_url: self.jwks_url.clone(),
            jwks_file: self.jwks_file.clone(),
            hs256_secret: self.hs256_secret.clone(),
            hs256_secret_file: self.hs256_secret_file.clone(),
            email_verified_claim: self.email_verified_claim.clone(),
            uid_prefix: String::new(),
        }
    }

    fn names_an_issuer_otherwise(&self) -> bool {
        self.first().key_sources() > 0 || self.preset.is_some() || !self.audience.is_empty() || !self.more.is_empty()
    }

    fn complain_of_likeness(&self, index: usize, found: &mut Complaints) {
        let IssuerConfig { issuer, uid_prefix, .. } = &self.more[index];
        if uid_prefix.is_empty() {
            found.add("uid_prefix", "must be set, so that no two issuers' users share an account");
        }
        if *issuer == self.issuer {
            found.add("issuer", "is already the first issuer's");
        }
        for earlier in &self.more[..index] {
            if earlier.issuer == *issuer {
                found.add("issuer", "is already another issuer's");
            }
            // "a" with user "bc" and "ab" with user "c" would be one account.
            if uid_prefix.starts_with(&earlier.uid_prefix) || earlier.uid_prefix.starts_with(uid_prefix) {
                found
                    .add("uid_prefix", "must differ from every other uid_prefix, and neither may begin with the other");
            }
        }
    }
}

impl IssuerConfig {
    fn key_sources(&self) -> usize {
        let named = [self.jwks_url.is_some(), self.jwks_file.is_some(), self.hs256_secret.is_some()];
        named.into_iter().chain([self.hs256_secret_file.is_some()]).filter(|named| *named).count()
    }

    fn complain(&self, found: &mut Complaints) {
        if self.issuer.is_empty() {
            found.add("issuer", "must be set");
        }
        match self.key_sources() {
            0 if self.preset.is_none() => {
                found.add("jwks_url", "set jwks_url, jwks_file or hs256_secret, or a preset that knows jwks_url");
            }
            0 | 1 => {}
            _ => found.add("jwks_url", "set only one of jwks_url, jwks_file, hs256_secret and hs256_secret_file"),
        }
        if self.jwks_url.as_deref().is_some_and(|url| http_address(url).is_err()) {
            let fault = "must be an address such as \"https://id.example.com/jwks.json\", without a password";
            found.add("jwks_url", fault);
        }
        let named = if self.hs256_secret.is_some() { "hs256_secret" } else { "hs256_secret_file" };
        match secrets::given(self.hs256_secret.as_ref(), self.hs256_secret_file.as_deref()) {
            Ok(Some(secret)) if secret.expose_secret().len() < SHORTEST_SECRET_BYTES => {
                found.add(named, "must have at least 32 bytes");
            }
            Ok(_) => {}
            Err(error) => found.add(named, &error.to_string()),
        }
        if self.audience.is_empty() && self.authorized_parties.is_empty() {
            found.add(
                "audience",
                "must be set unless authorized_parties is, or tokens for other services are accepted here",
            );
        }
        if self.preset == Some(Preset::Firebase) && !self.issuer.starts_with("https://securetoken.google.com/") {
            found.add("issuer", "must be https://securetoken.google.com/PROJECT for the preset firebase");
        }
        if self.email_verified_claim.iter().any(|claim| claim.starts_with("/user_metadata/")) {
            found.add("email_verified_claim", "must not be in user_metadata, which users can edit");
        }
    }
}

struct Complaints {
    below: String,
    all: Vec<(String, String)>,
}

impl Complaints {
    fn add(&mut self, setting: &str, what: &str) {
        self.all.push((format!("{}{setting}", self.below), what.to_owned()));
    }
}

/// Whether HTTP, browsers, proxies or we already use this header for something else: a token in it would be mistaken
/// for that, or that for a token. `Authorization` is meant for tokens.
fn means_something(header: &str) -> bool {
    const NAMES: [&str; 34] = [
        "alt-svc",
        "cache-control",
        "connection",
        "cookie",
        "date",
        "dnt",
        "expect",
        "forwarded",
        "from",
        "host",
        "http2-settings",
        "idempotency-key",
        "keep-alive",
        "max-forwards",
        "origin",
        "pragma",
        "priority",
        "range",
        "referer",
        "server",
        "set-cookie",
        "stripe-signature",
        "te",
        "traceparent",
        "tracestate",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "vary",
        "via",
        "x-api-key",
        "x-real-ip",
        "x-request-id",
    ];
    const KINDS: [&str; 7] = ["accept", "access-control-", "content-", "if-", "proxy-", "sec-", "x-forwarded-"];
    let header = header.to_ascii_lowercase();
    NAMES.contains(&header.as_str()) || KINDS.iter().any(|kind| header.starts_with(kind))
}

/// One text, or a list of texts.
fn one_or_many<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a text or a list of texts")]
    enum Written {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Written::deserialize(source)? {
        Written::One(one) => vec![one],
        Written::Many(many) => many,
    })
}

#[cfg(test)]
mod tests;
