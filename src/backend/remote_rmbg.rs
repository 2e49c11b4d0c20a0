//! The client for a service that speaks `POST /rmbg` itself, such as rembg.com.
//!
//! The request is built from the parsed form, with a new boundary and length. It carries our key, and never the
//! caller's key, token, cookies or addresses.

use super::{
    Answer, CutRequest, Failure, SharedAccount,
    credentials::{AllRest, Chosen, Keys},
    exchange::{AttemptError, Exchange},
    http::{FormBody, Remote, Reply, content_type, retry_after},
};
use crate::domain::answer::{KeyRefusal, is_about_our_key, key_refusal};
use hyper::header::HeaderValue;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tracing::warn;

/// The most keys that one picture is tried with, so that one picture cannot test all of them.
const KEYS_PER_PICTURE: usize = 2;

/// A service that speaks `POST /rmbg`.
pub(super) struct RmbgService {
    remote: Remote,
    /// Shared by all addresses of the service.
    keys: Arc<Keys>,
    /// The account that shows whether a key is good.
    account: Option<Arc<SharedAccount>>,
}

impl RmbgService {
    pub(super) fn new(remote: Remote, keys: Arc<Keys>, account: Option<Arc<SharedAccount>>) -> Self {
        Self { remote, keys, account }
    }

    async fn post(&self, exchange: &mut Exchange, key: Option<HeaderValue>) -> Result<Reply, AttemptError> {
        let form = form_body(&exchange.request)?;
        self.remote.post(exchange, form, key).await
    }

    /// Sends the request to a service that is used without a key. It may refuse us all the same, for instance because we ask
    /// too fast.
    async fn without_key(&self, exchange: &mut Exchange) -> Result<Answer, AttemptError> {
        let reply = self.post(exchange, None).await?;
        let said = retry_after(&reply.headers);
        let answer = Answer::from(reply);
        if !is_about_our_key(answer.status) {
            return Ok(answer);
        }
        let words = answer.words().await.unwrap_or_default();
        match key_refusal(answer.status, &words) {
            Some(why) => Err(unavailable(AllRest::for_time(why, said))),
            None => Ok(answer),
        }
    }

    /// Makes a key rest that the service has refused in the contract's words.
    fn rest(&self, key: &Chosen, why: KeyRefusal, status: u16, said: Option<Duration>) {
        warn!(status, key = key.number(), "the backend does not serve our key; it rests for a while");
        self.keys.rest(key, why, Instant::now(), said);
    }

    /// Handles a refusal that a firewall may have sent because of this caller's input. One such refusal does not make a
    /// key rest. If the account can be checked, that decides; otherwise the refusals of enough different callers are
    /// believed, but never a 403.
    fn doubt(&self, request: &CutRequest, key: &Chosen, status: u16, said: Option<Duration>) {
        if let Some(account) = &self.account {
            if self.keys.may_ask(key, Instant::now()) {
                let (account, key) = (Arc::clone(account), key.clone());
                // The caller does not wait for the check: this picture has failed.
                tokio::spawn(async move { account.decide(&key).await });
            }
            return;
        }
        let why = match status {
            401 => KeyRefusal::Rejected,
            402 | 429 => KeyRefusal::Spent,
            _ => return,
        };
        if self.keys.was_refused(key, &request.payer) {
            self.rest(key, why, status, said);
        }
    }

    /// Notes that the key is good if the answer is a picture.
    async fn learn(&self, request: &CutRequest, key: &Chosen, answer: &Answer) {
        if self.keys.is_doubted(key) && answer.is_picture_for(&request.form).await.is_ok() {
            self.keys.served(key);
        }
    }
}

impl RmbgService {
    /// Tries the next key if the service refuses one: a refusal is not charged.
    pub(super) async fn send(&self, exchange: &mut Exchange) -> Result<Answer, AttemptError> {
        let mut all_rest = AllRest::after(KeyRefusal::Rejected);
        for number in 0..KEYS_PER_PICTURE {
            let Some(key) = self.keys.choose(Instant::now()).map_err(unavailable)? else {
                return self.without_key(exchange).await;
            };
            if number > 0 {
                exchange.request.used.asked_again();
            }
            let reply = self.post(exchange, Some(key.value.clone())).await?;
            let said = retry_after(&reply.headers);
            let answer = Answer::from(reply);
            let status = answer.status;
            if !is_about_our_key(status) {
                self.learn(&exchange.request, &key, &answer).await;
                return Ok(answer);
            }
            let words = answer.words().await.unwrap_or_default();
            let Some(why) = key_refusal(status, &words) else {
                self.doubt(&exchange.request, &key, status, said);
                return Ok(answer);
            };
            self.rest(&key, why, status, said);
            all_rest = AllRest::after(why);
        }
        Err(unavailable(self.keys.choose(Instant::now()).err().unwrap_or(all_rest)))
    }

    pub(super) async fn probe(&self) -> bool {
        self.remote.probe().await
    }
}

fn unavailable(AllRest { shortage, retry_after }: AllRest) -> AttemptError {
    AttemptError::last(Failure::Unavailable { shortage, retry_after })
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self { status: reply.status, content_type: content_type(&reply.headers), body: reply.body }
    }
}

/// The caller's form as it was validated. Each part is written anew.
fn form_body(request: &CutRequest) -> Result<FormBody, AttemptError> {
    FormBody::of(&request.form, &request.image).map_err(|error| AttemptError::last(Failure::Failed(error.to_string())))
}
