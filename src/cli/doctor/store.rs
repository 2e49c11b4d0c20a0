//! Checks the store, and the pepper without which the keys in it are useless.

use super::{super::Session, Finding, accounts};
use crate::{
    identity::{Keyring, PepperSource},
    store::{self, Accounts, Billing, Store},
};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

const NAME_THE_FILE: &str = "Name the right file, and let the gateway's user read it.";

pub(super) async fn look(session: &Session) -> Vec<Finding> {
    let (finding, store) = store(session).await;
    let mut findings = vec![finding, pepper(session, store.as_deref().map(|store| store as _)).await];
    if let Some(store) = store {
        findings.extend(accounts::look(&session.config, &*store).await);
        findings.extend(parked(&*store).await);
    }
    findings
}

/// Stripe's parked events, if there are any. Another check reports a store that does not answer.
async fn parked(store: &dyn Billing) -> Option<Finding> {
    let waiting = store.parked().await.ok()?.len();
    let says = format!("Stripe's events that wait because no account is known for them: {waiting}.");
    (waiting > 0).then(|| Finding::warn("stripe", says, "rembg-gateway stripe parked lists them, and what each needs."))
}

/// The store, if it exists and answers. One that does not exist is not opened, because that would make it.
async fn store(session: &Session) -> (Finding, Option<std::sync::Arc<dyn Store>>) {
    let url = session.config.store.shown();
    if session.config.store.sqlite_path().is_some_and(|path| !path.exists()) {
        return (Finding::warn("store", format!("{url} does not exist yet."), super::super::NO_STORE_HINT), None);
    }
    let opened = match store::open(&session.config, session.clock.clone()).await {
        Ok(store) => store.ping().await.map(|()| store),
        Err(fault) => Err(fault),
    };
    match opened {
        Ok(store) => (Finding::ok("store", format!("{url} can be read and written.")), Some(store)),
        Err(fault) => (
            Finding::fail(
                "store",
                format!("{url} cannot be used: {fault}."),
                "Is store.url the right one, and does it answer?",
            ),
            None,
        ),
    }
}

async fn pepper(session: &Session, store: Option<&dyn Accounts>) -> Finding {
    let missing = match PepperSource::of(&session.config) {
        Some(PepperSource::BesideStore(path)) if !path.exists() => path,
        Some(PepperSource::BesideStore(path)) => return beside_store(session, &path),
        Some(PepperSource::Configured) | None => {
            return match Keyring::open(&session.config) {
                Ok(_) => Finding::ok("pepper", "It comes from the configuration."),
                Err(error) => Finding::fail("pepper", format!("{error}."), NAME_THE_FILE),
            };
        }
    };
    let path = missing.display();
    if has_keys(store).await {
        return Finding::fail(
            "pepper",
            format!("{path} is missing, so no existing key is accepted."),
            "Restore it from a backup; a new one would not open any key.",
        );
    }
    Finding::ok("pepper", format!("It will be made in {path} on first use."))
}

fn beside_store(session: &Session, path: &Path) -> Finding {
    let shown = path.display();
    let exposed = fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0);
    match Keyring::open(&session.config) {
        Err(error) => Finding::fail("pepper", format!("{error}."), NAME_THE_FILE),
        Ok(_) if exposed => {
            Finding::warn("pepper", format!("{shown} can be read by others."), format!("chmod 600 {shown}"))
        }
        Ok(_) => Finding::ok("pepper", format!("It is in {shown}; back it up together with the store.")),
    }
}

/// Whether any account has a key. Another check reports a store that does not answer.
async fn has_keys(store: Option<&dyn Accounts>) -> bool {
    let Some(store) = store else { return false };
    for uid in store.uids().await.unwrap_or_default() {
        if store.keys(&uid).await.is_ok_and(|keys| !keys.is_empty()) {
            return true;
        }
    }
    false
}
