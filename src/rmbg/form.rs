//! Step 3: the whole body is read and judged, before the backend gets any of it.

use super::{Rmbg, Stop, send::too_large};
use crate::{
    domain::{
        form::{Form, FormError, FormReader, MAX_BODY, MAX_IMAGE},
        refusal::{Refusal, Shortage},
    },
    picture::Bounds,
    spool::{Holder, Room, SpoolError, Spooled},
};
use axum::body::Body;
use bytes::Bytes;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::{HeaderMap, header};
use std::{error::Error, io, time::Duration};
use tokio::time::{Instant, timeout, timeout_at};

/// How much of an upload is read and discarded after an early answer, and for how long. Without that, clients such as
/// axios see a reset connection instead of the answer.
const DRAIN_BYTES: u64 = 64 * 1024 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// The body of a request that is still arriving.
pub struct Upload {
    body: Body,
    content_type: Option<String>,
    announced: Option<u64>,
    /// Whether the client waits for `100 Continue`. It is sent when the body is first read; before that, there is nothing
    /// to drain.
    waits_for_continue: bool,
}

impl Upload {
    /// The body of a request with these headers.
    #[must_use]
    pub fn new(headers: &HeaderMap, body: Body) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            body,
            content_type: text(header::CONTENT_TYPE).map(str::to_owned),
            announced: text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok()),
            waits_for_continue: headers.contains_key(header::EXPECT),
        }
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

    /// Reads and discards the rest of the upload, within bounds.
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
        // A timeout is no error here: the answer has been sent before.
        let _ = timeout(DRAIN_TIME, discard).await;
    }
}

/// Reads the form and the image's bytes. An error lists all complaints at once.
pub(super) async fn read(
    rmbg: &Rmbg,
    upload: &mut Upload,
    holder: &Holder,
    pixel_limit: Option<u64>,
) -> Result<(Form, Spooled), Stop> {
    if upload.announced.is_some_and(|length| length > MAX_BODY) {
        return Err(Refusal::BodyTooLarge.into());
    }
    let deadline = Instant::now() + rmbg.rules.upload_timeout;
    let read = timeout_at(deadline, read_all(rmbg, upload, holder)).await;
    let (form, image) = read.unwrap_or_else(|_| Err(too_slow()))?;
    // A small file may unpack to gigabytes, and so may the requested answer.
    let bounds = Bounds { pixels: pixel_limit, bytes: rmbg.rules.longest_made };
    let sent = (form.image.header.width, form.image.header.height);
    bounds.judge_header(sent, &form.output).map_err(too_large)?;
    Ok((form, image))
}

async fn read_all(rmbg: &Rmbg, upload: &mut Upload, holder: &Holder) -> Result<(Form, Spooled), Stop> {
    let mut reader = FormReader::new(upload.content_type.as_deref());
    let mut room = Room::growing(&rmbg.budgets, holder, MAX_IMAGE);
    let mut image = Vec::new();
    let (begun, mut received) = (Instant::now(), 0);
    loop {
        let deadline = begun + rmbg.rules.upload_rate.time_for(received);
        let Some(bytes) = timeout_at(deadline, upload.next()).await.map_err(|_| too_slow())? else { break };
        let bytes = bytes.map_err(|error| broken_off(&error))?;
        received += bytes.len() as u64;
        reader.push(bytes, &mut image).map_err(refusal)?;
        for piece in image.drain(..) {
            room.write(piece).await.map_err(|error| stop_for(&error))?;
        }
    }
    Ok((reader.finish().map_err(refusal)?, room.finish()))
}

/// The error if the connection ended before the body did, or the body's framing is broken.
fn broken_off(error: &axum::Error) -> Stop {
    let causes = std::iter::successors(Some(error as &dyn Error), |error| (*error).source());
    let has_left = causes.filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|error| {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        [BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof].contains(&error.kind())
    });
    if has_left { Stop::Gone } else { Stop::with_cause(Refusal::MalformedForm, error) }
}

fn too_slow() -> Stop {
    Stop::with_cause(Refusal::TimedOut, "the upload took too long")
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
        SpoolError::NoRoom | SpoolError::File(_) => Stop::with_cause(super::unavailable(Shortage::NoRoom), error),
    }
}
