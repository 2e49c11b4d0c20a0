//! One issuer, from its configuration and its preset.

use super::{
    StartError,
    claims::Rules,
    fetch::Source,
    jwks::KeySet,
    refresh::{Keys, Timing},
};
use crate::config::{IssuerConfig, Preset, SHORTEST_SECRET_BYTES, UserTokenConfig};
use secrecy::{ExposeSecret, SecretString};
use std::{path::Path, sync::Arc};

const FIREBASE_KEYS: &str = "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com";

#[derive(Debug)]
pub(super) struct Issuer {
    pub(super) rules: Rules,
    pub(super) keys: Arc<Keys>,
}

/// Every issuer of the configuration; their keys are not read yet.
pub(super) async fn all(config: &UserTokenConfig, timing: Timing) -> Result<Vec<Issuer>, StartError> {
    let configured = config.issuers();
    let mut issuers = Vec::with_capacity(configured.len());
    for issuer in &configured {
        let others = configured.iter().filter(|other| other.issuer != issuer.issuer);
        let foreign_prefixes = others.map(|other| other.uid_prefix.clone()).filter(|prefix| !prefix.is_empty());
        let rules = Rules {
            issuer: issuer.issuer.clone(),
            audience: issuer.audience.clone(),
            authorized_parties: issuer.authorized_parties.clone(),
            email_verified: email_verified_places(issuer),
            uid_prefix: issuer.uid_prefix.clone(),
            foreign_prefixes: foreign_prefixes.collect(),
            preset: issuer.preset,
            leeway_s: config.leeway_s.into(),
        };
        issuers.push(Issuer { rules, keys: Arc::new(keys(issuer, timing).await?) });
    }
    Ok(issuers)
}

fn email_verified_places(issuer: &IssuerConfig) -> Vec<String> {
    if !issuer.email_verified_claim.is_empty() {
        return issuer.email_verified_claim.clone();
    }
    let known: &[&str] = match issuer.preset {
        Some(Preset::Supabase) => &["email_verified", "/app_metadata/email_verified"],
        Some(Preset::Firebase | Preset::Auth0 | Preset::Clerk) | None => &["email_verified"],
    };
    known.iter().map(|place| (*place).to_owned()).collect()
}

async fn keys(issuer: &IssuerConfig, timing: Timing) -> Result<Keys, StartError> {
    if let Some(secret) = secret(issuer).await? {
        let secret = secret.expose_secret().as_bytes();
        if secret.len() < SHORTEST_SECRET_BYTES {
            return Err(StartError::ShortSecret(issuer.issuer.clone()));
        }
        return Ok(Keys::fixed(&issuer.issuer, KeySet::of_secret(secret)));
    }
    let source = match &issuer.jwks_file {
        Some(path) => Source::file(path.clone()),
        None => Source::url(&jwks_url(issuer), &issuer.issuer)?,
    };
    Ok(Keys::read_from(&issuer.issuer, source, timing))
}

async fn secret(issuer: &IssuerConfig) -> Result<Option<SecretString>, StartError> {
    match &issuer.hs256_secret_file {
        Some(path) => read_secret(path).await.map(Some),
        None => Ok(issuer.hs256_secret.clone()),
    }
}

async fn read_secret(path: &Path) -> Result<SecretString, StartError> {
    let text = tokio::fs::read_to_string(path).await;
    let text = text.map_err(|cause| StartError::SecretFile { path: path.display().to_string(), cause })?;
    Ok(text.trim_end_matches(['\r', '\n']).into())
}

/// The configured address, or the one at which the preset's issuer publishes its keys; else empty.
fn jwks_url(issuer: &IssuerConfig) -> String {
    match (&issuer.jwks_url, issuer.preset) {
        (Some(url), _) => url.clone(),
        (None, Some(Preset::Firebase)) => FIREBASE_KEYS.into(),
        (None, Some(Preset::Auth0 | Preset::Clerk | Preset::Supabase)) => {
            format!("{}/.well-known/jwks.json", issuer.issuer.trim_end_matches('/'))
        }
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preset_knows_where_its_issuer_keeps_things() {
        let supabase = ["email_verified", "/app_metadata/email_verified"];
        let table: &[(Preset, &str, &str, &[&str])] = &[
            (Preset::Firebase, "https://securetoken.google.com/shop", FIREBASE_KEYS, &["email_verified"]),
            (Preset::Auth0, "https://t.example/", "https://t.example/.well-known/jwks.json", &["email_verified"]),
            (Preset::Clerk, "https://c.example", "https://c.example/.well-known/jwks.json", &["email_verified"]),
            (
                Preset::Supabase,
                "https://s.example/auth/v1",
                "https://s.example/auth/v1/.well-known/jwks.json",
                &supabase,
            ),
        ];
        for (preset, issuer, url, places) in table {
            let known = IssuerConfig { issuer: (*issuer).into(), preset: Some(*preset), ..IssuerConfig::default() };
            assert_eq!(
                (jwks_url(&known).as_str(), email_verified_places(&known)),
                (*url, places.iter().map(ToString::to_string).collect())
            );
            let own =
                IssuerConfig { jwks_url: Some("https://own".into()), email_verified_claim: vec!["ev".into()], ..known };
            assert_eq!((jwks_url(&own).as_str(), email_verified_places(&own)), ("https://own", vec!["ev".to_owned()]));
        }
    }
}
