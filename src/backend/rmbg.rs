//! The reverse proxy proper: a service that speaks `POST /rmbg` itself, such as rembg.com.
//!
//! What it gets is built by us from what we parsed, with a boundary and a length of our own. Our key goes with it; the
//! caller's key, token, cookies and addresses never do.

use super::{
    Answer, Failure, Job,
    http::{FormBody, Remote, Reply, content_type, retry_after},
    keys::Keys,
    service::{Service, Trouble},
};
use crate::domain::refusal::Shortage;
use async_trait::async_trait;
use hyper::{
    HeaderMap,
    header::{HeaderName, HeaderValue},
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tracing::warn;

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Statuses that are about our key and not about the picture: unknown, out of credits, not allowed, spent or too fast.
const ABOUT_OUR_KEY: [u16; 4] = [401, 402, 403, 429];

/// When to ask again where no key has been found that works and none rests any more.
const SOON: Duration = Duration::from_secs(1);

/// A service that speaks `POST /rmbg`.
pub(super) struct RmbgService {
    remote: Remote,
    /// Shared by all addresses of the service.
    keys: Arc<Keys>,
}

impl RmbgService {
    pub(super) fn new(remote: Remote, keys: Arc<Keys>) -> Self {
        Self { remote, keys }
    }

    async fn post(&self, job: &Job, key: Option<HeaderValue>) -> Result<Reply, Trouble> {
        let headers: HeaderMap = key.map(|key| (X_API_KEY, key)).into_iter().collect();
        self.remote.post(job, form_body(job)?, headers).await
    }
}

#[async_trait]
impl Service for RmbgService {
    /// A key that the service will not serve is laid aside and the next one taken: a refusal of it costs nothing.
    async fn exchange(&self, job: &Job) -> Result<Answer, Trouble> {
        if self.keys.len() == 0 {
            return self.post(job, None).await.map(answer);
        }
        for _ in 0..self.keys.len() {
            let key = self.keys.choose(Instant::now()).map_err(all_spent)?;
            let reply = self.post(job, Some(key.value.clone())).await?;
            if !ABOUT_OUR_KEY.contains(&reply.status) {
                return Ok(answer(reply));
            }
            warn!(
                status = reply.status,
                key = key.number(),
                "the backend does not serve our key; it rests for a while"
            );
            self.keys.rest(&key, Instant::now(), retry_after(&reply.headers));
        }
        Err(all_spent(self.keys.choose(Instant::now()).err().unwrap_or(SOON)))
    }

    async fn answers(&self) -> bool {
        self.remote.answers().await
    }
}

fn all_spent(retry_after: Duration) -> Trouble {
    Trouble::last(Failure::Unavailable { shortage: Shortage::BackendAccountExhausted, retry_after })
}

fn answer(reply: Reply) -> Answer {
    Answer { status: reply.status, content_type: content_type(&reply.headers), body: reply.body }
}

/// The caller's form as it was judged: each part of it is written anew.
fn form_body(job: &Job) -> Result<FormBody, Trouble> {
    FormBody::of(&job.form, &job.image).map_err(|error| Trouble::last(Failure::Failed(error.to_string())))
}
