//! Step 1: exactly one credential, whose account may call (contract, section 2).

use super::{Rmbg, Stop};
use crate::{
    domain::{
        caller::{Account, Channel, KeyId},
        refusal::Refusal,
    },
    identity::Credentials,
};
use hyper::HeaderMap;

/// Someone who may call.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) account: Account,
    pub(super) channel: Channel,
    pub(super) key: Option<KeyId>,
}

/// Finds out who is calling: both credentials at once are refused before either is looked at.
pub(super) async fn identify(rmbg: &Rmbg, headers: &HeaderMap) -> Result<Caller, Stop> {
    let key = match Credentials::from_headers(headers)? {
        Credentials::Key(key) => key,
        Credentials::Token(_) => return Err(Refusal::InvalidToken.into()),
        Credentials::None => return Err(Refusal::InvalidKey.into()),
    };
    let (key, account) =
        rmbg.keyring.account_of(&*rmbg.store, &key, rmbg.clock.now().seconds()).await?.ok_or(Refusal::InvalidKey)?;
    if !account.email_verified {
        return Err(Refusal::EmailNotVerified.into());
    }
    Ok(Caller { account, channel: Channel::Api, key: Some(key.id) })
}
