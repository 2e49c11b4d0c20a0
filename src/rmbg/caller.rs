//! Step 1: the caller is identified by one credential or none, and its account must be allowed to call (contract,
//! section 2).

use super::{Rmbg, Rules, Stop};
use crate::{
    domain::{
        account::Account,
        api_key::{ApiKey, KeyId},
        client_address::ClientAddress,
        credit::{Channel, Draw, KeyDraw},
        plan::Plan,
        rate_limit::Burst,
        refusal::{Refusal, Shortage},
    },
    identity::{
        Credentials, Opening, Visitor,
        user_token::{VerifiedUser, VerifyError},
    },
    spool::Holder,
    store::AccountChange,
    telemetry::{CallerKind, TokenResult},
};
use secrecy::{ExposeSecret as _, SecretString};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tokio::time::Instant;

/// A caller that is known.
#[derive(Debug)]
pub(super) enum Caller {
    /// The holder of an API key.
    Key(Account, ApiKey),
    /// A signed-in user.
    Token(Account),
    /// A client without a credential, known by its address.
    Anonymous(ClientAddress),
}

/// A caller, and whom the bodies of its request are held for.
#[derive(Clone, Copy)]
pub(super) struct Sender<'a> {
    pub(super) caller: &'a Caller,
    pub(super) holder: &'a Holder,
    pub(super) awaited: &'a Awaited,
}

/// The time that a request has waited for bytes which are not in its own body.
#[derive(Debug, Default)]
pub(super) struct Awaited(AtomicU64);

impl Awaited {
    /// Waits for `work`, and adds the time that it took.
    pub(super) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        let done = work.await;
        self.0.fetch_add(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        done
    }

    pub(super) fn get(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

impl Caller {
    pub(super) fn account(&self) -> Option<&Account> {
        match self {
            Self::Key(account, _) | Self::Token(account) => Some(account),
            Self::Anonymous(_) => None,
        }
    }

    pub(super) fn key_id(&self) -> Option<&KeyId> {
        match self {
            Self::Key(_, key) => Some(&key.id),
            Self::Token(_) | Self::Anonymous(_) => None,
        }
    }

    /// Refuses an account whose e-mail address is not verified.
    pub(super) fn may_call(&self) -> Result<(), Refusal> {
        let verified = self.account().is_none_or(|account| account.email_verified);
        if verified { Ok(()) } else { Err(Refusal::EmailNotVerified) }
    }

    /// The kind of caller, for metrics.
    pub(super) fn kind(&self) -> CallerKind {
        match self {
            Self::Key(..) => CallerKind::Api,
            Self::Token(_) => CallerKind::App,
            Self::Anonymous(_) => CallerKind::Anonymous,
        }
    }

    /// The name of the configured plan that applies to the account.
    pub(super) fn plan(&self, rules: &Rules) -> Option<String> {
        self.account().map(|account| plan_name(account, rules).to_owned())
    }

    /// The allowance that the picture is charged to.
    pub(super) fn draw(&self, rules: &Rules) -> Draw {
        let drawn = |account: &Account, channel, key| Draw::Account { uid: account.uid.clone(), channel, key };
        match self {
            Self::Key(account, key) => {
                let key = KeyDraw { id: key.id.clone(), monthly_cap: key.monthly_cap };
                drawn(account, Channel::Api, Some(key))
            }
            Self::Token(account) => drawn(account, Channel::App, None),
            Self::Anonymous(client) => Draw::Client { client: client.clone(), per_day: rules.anonymous.per_day },
        }
    }

    /// The short-term limit: the account's own or its plan's, or the one for anonymous callers.
    pub(super) fn burst(&self, rules: &Rules) -> Option<Burst> {
        match self {
            Self::Key(account, _) | Self::Token(account) => {
                account.overrides.burst.or_else(|| plan(account, rules).map(|plan| plan.burst))
            }
            Self::Anonymous(_) => Some(rules.anonymous.burst),
        }
    }

    /// The priority in the backend's queue: the account's own, or its plan's.
    pub(super) fn priority(&self, rules: &Rules) -> u8 {
        let Some(account) = self.account() else { return 0 };
        account.overrides.priority.or_else(|| plan(account, rules).map(|plan| plan.priority)).unwrap_or(0)
    }

    /// The most pixels that a picture may have: the lower one of the backend's limit and the caller's (the account's own,
    /// or its plan's). 0 is no limit.
    pub(super) fn pixel_limit(&self, rules: &Rules) -> Option<u64> {
        let of_caller = self.account().and_then(|account| {
            account.overrides.max_pixels.or_else(|| plan(account, rules).and_then(|plan| plan.max_pixels))
        });
        [rules.pixel_limit, of_caller].into_iter().flatten().filter(|most| *most > 0).min()
    }
}

/// The account's plan, or the default one if that is not configured.
fn plan_name<'a>(account: &'a Account, rules: &'a Rules) -> &'a str {
    let is_configured = rules.plans.contains_key(&account.membership);
    if is_configured { &account.membership } else { &rules.terms.default_plan.0 }
}

fn plan<'a>(account: &Account, rules: &'a Rules) -> Option<&'a Plan> {
    rules.plans.get(plan_name(account, rules))
}

/// Identifies the caller. Whether it may call is not decided yet.
pub(super) async fn identify(rmbg: &Rmbg, visitor: &Visitor) -> Result<Caller, Stop> {
    Ok(match &visitor.credentials {
        Credentials::Key(key) => {
            let now = rmbg.clock.now().seconds();
            match rmbg.api_keys.open(key, visitor.address, now).await? {
                Opening::Account(opened) => {
                    let (key, account) = *opened;
                    Caller::Key(account, key)
                }
                Opening::Nothing(cause) => {
                    return Err(Stop::Refused { refusal: Refusal::InvalidKey, cause, limits: Vec::new() });
                }
            }
        }
        Credentials::Token(token) => Caller::Token(signed_in(rmbg, token).await?),
        Credentials::None if rmbg.rules.anonymous.per_day > 0 => Caller::Anonymous(visitor.client()),
        Credentials::None => return Err(Refusal::InvalidKey.into()),
    })
}

/// The account of a token. It is created if this is the user's first token.
///
/// The token's claim about the e-mail address applies to this call. If it says that the address is verified, that is also
/// written to the account: otherwise the API keys of an account that a token created would always be refused. Only an
/// operator can withdraw it.
async fn signed_in(rmbg: &Rmbg, token: &SecretString) -> Result<Account, Stop> {
    let verified = rmbg.user_tokens.verify(token.expose_secret(), rmbg.clock.now().seconds()).await;
    rmbg.tokens.checked(verified.as_ref().map_or_else(|error| error.label(), |_| TokenResult::Accepted));
    let VerifiedUser { uid, email_verified } = verified.map_err(stop_for)?;
    let unchanged = AccountChange::of(uid);
    let account = match rmbg.store.account_of_user(&unchanged.uid).await? {
        Some(account) => account,
        None if rmbg.rules.create_accounts => {
            let plan = Some(rmbg.rules.terms.default_plan.clone());
            let made = AccountChange { plan, email_verified, only_new: true, ..unchanged.clone() };
            rmbg.store.put_account(&made).await?
        }
        None => return Err(Stop::with_cause(Refusal::InvalidToken, "no account, and none is created")),
    };
    match email_verified {
        Some(true) if !account.email_verified => {
            let verified = AccountChange { email_verified: Some(true), ..unchanged };
            Ok(rmbg.store.put_account(&verified).await?)
        }
        Some(says) => Ok(Account { email_verified: says, ..account }),
        None => Ok(account),
    }
}

fn stop_for(error: VerifyError) -> Stop {
    let refusal = match error {
        VerifyError::Refused(_) => Refusal::InvalidToken,
        VerifyError::KeysUnavailable => super::unavailable(Shortage::StoreUnavailable),
    };
    Stop::with_cause(refusal, &error)
}
