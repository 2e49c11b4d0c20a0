//! Step 4: the validated form is sent to the backend, and the whole answer is read.

use super::{Rmbg, Stop, caller::Sender};
use crate::{
    backend::{Answer, AnswerRoom, CutRequest, Failure},
    domain::{answer, complaint::Complaint, form::Form, refusal::Refusal},
    picture::{self, TooMuch},
    spool::Spooled,
    telemetry::Record,
};
use std::sync::Arc;
use tokio::time::Instant;

/// The content type of the contract's errors.
const JSON: &str = "application/json";

/// A bound on the bytes of an answer for each pixel. An uncompressed picture has four, and base64 adds a third.
const BYTES_PER_PIXEL: u64 = 6;

/// The request to the backend.
pub(super) fn request(
    rmbg: &Rmbg,
    Sender { caller, holder, .. }: Sender<'_>,
    (form, image): (Form, Spooled),
    record: &Record,
) -> CutRequest {
    let (width, height) = picture::result_size((form.image.header.width, form.image.header.height), &form.output);
    let bound = u64::from(width) * u64::from(height) * BYTES_PER_PIXEL;
    let deadline = Instant::now() + rmbg.rules.answer_timeout;
    CutRequest {
        form,
        image: Arc::new(image),
        pixel_limit: caller.pixel_limit(&rmbg.rules),
        deadline,
        request_id: record.request_id.clone(),
        trace: record.trace,
        used: record.backend.clone(),
        payer: caller.draw(&rmbg.rules).payer(),
        priority: caller.priority(&rmbg.rules),
        room: AnswerRoom::new(rmbg.budgets.clone(), holder.clone(), bound),
    }
}

/// Gets a picture from the backend, or its own 400 in the contract's form. Every answer of a backend passes through here,
/// and callers get no other part of it.
pub(super) async fn send(rmbg: &Rmbg, request: &Arc<CutRequest>) -> Result<Answer, Stop> {
    let answer = rmbg.backend.cut(request).await.map_err(|failure| stop_for(&failure))?;
    match answer.status {
        200..300 => {
            answer.is_picture_for(&request.form).await.map_err(|failure| stop_for(&failure))?;
            Ok(answer)
        }
        400 => complaint(answer).await,
        other => Err(Stop::with_cause(Refusal::BackendFailed, &format!("the backend answered {other}"))),
    }
}

/// The backend's complaint about the form, in its own words if they are in the contract's form. Any other words may come
/// from a proxy and be about anything. Every field has already been judged, so only the picture can still be wrong: the
/// caller is told that instead.
async fn complaint(answer: Answer) -> Result<Answer, Stop> {
    if answer.words().await.is_some_and(|words| answer::is_about_the_form(&words)) {
        return Ok(Answer { content_type: Some(JSON.into()), ..answer });
    }
    let refusal = Refusal::Invalid(vec![Complaint::CorruptImage]);
    Err(Stop::with_cause(refusal, "the backend answered 400 in words that are not the contract's"))
}

pub(super) fn stop_for(failure: &Failure) -> Stop {
    let refusal = match failure {
        Failure::Failed(_) => Refusal::BackendFailed,
        Failure::TimedOut => Refusal::TimedOut,
        Failure::Unavailable { shortage, retry_after } => {
            Refusal::Unavailable { shortage: *shortage, retry_after: *retry_after }
        }
        Failure::Unreadable(_) => Refusal::Invalid(vec![Complaint::CorruptImage]),
        Failure::TooMuch(what) => too_large(*what),
    };
    Stop::Refused { refusal, cause: failure.cause(), limits: Vec::new() }
}

/// The refusal of a picture that is too large, or whose answer would be.
pub(super) fn too_large(what: TooMuch) -> Refusal {
    match what {
        TooMuch::Pixels { pixels, most } => Refusal::TooManyPixels { pixels, most },
        TooMuch::Bytes { bytes, most } => Refusal::AnswerTooLarge { bytes, most },
    }
}
