//! Step 3: the whole body is read and judged; nothing has touched the backend yet.

use super::{RETRY_SOON, Rmbg, Stop};
use crate::{
    domain::{
        form::{Form, FormError, FormReader, MAX_BODY, MAX_IMAGE},
        refusal::Refusal,
    },
    spool::{Room, SpoolError, Spooled},
};
use axum::body::Body;
use bytes::Bytes;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::{HeaderMap, header};
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// How much of an upload is read and thrown away after an early answer, and for how long. Without that, clients such as
/// axios see a reset connection instead of the answer.
const DRAIN_BYTES: u64 = 64 * 1024 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// A request's body on its way in.
pub struct Upload {
    body: Body,
    /// Asking for the body is what sends `100 Continue`: whoever waits for that has nothing to drain before.
    waits_for_continue: bool,
}

impl Upload {
    /// The body of a request with these headers.
    #[must_use]
    pub fn new(headers: &HeaderMap, body: Body) -> Self {
        Self { body, waits_for_continue: headers.contains_key(header::EXPECT) }
    }

    /// The next bytes; `None` at the end.
    async fn next(&mut self) -> Option<Result<Bytes, axum::Error>> {
        self.waits_for_continue = false;
        loop {
            match self.body.frame().await? {
                Ok(frame) => {
                    if let Ok(data) = frame.into_data() {
                        return Some(Ok(data));
                    }
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Reads what is left of the upload and throws it away, within bounds.
    pub async fn drain(mut self) {
        if self.waits_for_continue || self.body.is_end_stream() {
            return;
        }
        let discard = async {
            let mut left = DRAIN_BYTES;
            while let Some(Ok(bytes)) = self.next().await {
                left = left.saturating_sub(bytes.len() as u64);
                if left == 0 {
                    return;
                }
            }
        };
        // Running out of time is as good an end as any: the answer has long been sent.
        let _ = timeout(DRAIN_TIME, discard).await;
    }
}

/// Reads the form, every complaint at once, and the image's bytes.
pub(super) async fn read(rmbg: &Rmbg, headers: &HeaderMap, upload: &mut Upload) -> Result<(Form, Spooled), Stop> {
    if announced_length(headers).is_some_and(|length| length > MAX_BODY) {
        return Err(Refusal::BodyTooLarge.into());
    }
    let deadline = Instant::now() + rmbg.rules.upload_timeout;
    let (form, image) =
        timeout_at(deadline, read_all(rmbg, headers, upload)).await.unwrap_or_else(|_| Err(too_slow()))?;
    let pixels = u64::from(form.image.header.width) * u64::from(form.image.header.height);
    match rmbg.rules.pixel_limit {
        Some(most) if pixels > most => Err(Refusal::TooManyPixels { pixels, most }.into()),
        _ => Ok((form, image)),
    }
}

async fn read_all(rmbg: &Rmbg, headers: &HeaderMap, upload: &mut Upload) -> Result<(Form, Spooled), Stop> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut reader = FormReader::new(content_type);
    let mut room = Room::growing(&rmbg.budgets, MAX_IMAGE).map_err(|error| stop_for(&error))?;
    let mut image = Vec::new();
    let (begun, mut received) = (Instant::now(), 0);
    loop {
        let deadline = begun + rmbg.rules.upload_pace.time_for(received);
        let Some(bytes) = timeout_at(deadline, upload.next()).await.map_err(|_| too_slow())? else { break };
        let bytes = bytes.map_err(|error| Stop::with_cause(Refusal::MalformedForm, &error))?;
        received += bytes.len() as u64;
        reader.push(bytes, &mut image).map_err(refusal)?;
        for piece in image.drain(..) {
            room.write(piece).await.map_err(|error| stop_for(&error))?;
        }
    }
    Ok((reader.finish().map_err(refusal)?, room.finish()))
}

fn too_slow() -> Stop {
    Stop::with_cause(Refusal::TimedOut, "the upload took too long")
}

fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn refusal(error: FormError) -> Refusal {
    match error {
        FormError::Invalid(complaints) => Refusal::Invalid(complaints),
        FormError::Malformed => Refusal::MalformedForm,
        FormError::TooLarge => Refusal::BodyTooLarge,
    }
}

fn stop_for(error: &SpoolError) -> Stop {
    match error {
        SpoolError::TooLong(_) => Refusal::BodyTooLarge.into(),
        SpoolError::NoRoom | SpoolError::File(_) => Stop::with_cause(Refusal::Busy { retry_after: RETRY_SOON }, error),
    }
}
