//! Step 4: the validated form goes to the backend, and its whole answer is read back.

use super::{Rmbg, Stop, caller::Caller};
use crate::{
    backend::{Answer, AnswerRoom, CutRequest, Failure},
    domain::{answer, complaint::Complaint, form::Form, refusal::Refusal},
    picture::{self, TooMuch},
    spool::{Holder, Spooled},
};
use std::sync::Arc;
use tokio::time::Instant;

/// What the contract's errors are written in.
const JSON: &str = "application/json";

/// More bytes than an answer will hardly have for a pixel: uncompressed it has four, and a third more in base64.
const BYTES_PER_PIXEL: u64 = 6;

/// The request to the backend.
pub(super) fn request(
    rmbg: &Rmbg,
    caller: &Caller,
    (form, image): (Form, Spooled),
    holder: Holder,
    id: String,
) -> CutRequest {
    let (width, height) = picture::result_size((form.image.header.width, form.image.header.height), &form.output);
    let bound = u64::from(width) * u64::from(height) * BYTES_PER_PIXEL;
    let deadline = Instant::now() + rmbg.rules.answer_timeout;
    CutRequest {
        form: Arc::new(form),
        image: Arc::new(image),
        pixel_limit: caller.pixel_limit(&rmbg.rules),
        deadline,
        request_id: id,
        payer: caller.draw(&rmbg.rules).payer(),
        priority: caller.priority(&rmbg.rules),
        room: AnswerRoom::new(rmbg.budgets.clone(), holder, bound),
    }
}

/// A picture, or the backend's own 400 in the contract's form. Every backend's answer comes by here, and nothing else of
/// it reaches a caller.
pub(super) async fn send(rmbg: &Rmbg, request: &CutRequest) -> Result<Answer, Stop> {
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

/// What the backend has against the form, in its own words if they are in the contract's form. Words in another may be
/// anybody's, about anything. All that can still be wrong with the form by then is its picture, as every other field has
/// been judged: that is what the caller is told instead.
async fn complaint(answer: Answer) -> Result<Answer, Stop> {
    if answer.words().await.is_some_and(|words| answer::is_about_the_form(&words)) {
        return Ok(Answer { content_type: Some(JSON.into()), ..answer });
    }
    let refusal = Refusal::Invalid(vec![Complaint::CorruptImage]);
    Err(Stop::with_cause(refusal, "the backend answered 400 in words that are not the contract's"))
}

fn stop_for(failure: &Failure) -> Stop {
    let refusal = match failure {
        Failure::Failed(_) => Refusal::BackendFailed,
        Failure::TimedOut => Refusal::TimedOut,
        Failure::Unavailable { shortage, retry_after } => {
            Refusal::Unavailable { shortage: *shortage, retry_after: *retry_after }
        }
        Failure::Unreadable(_) => Refusal::Invalid(vec![Complaint::CorruptImage]),
        Failure::TooMuch(what) => too_large(*what),
    };
    Stop::with_cause(refusal, failure)
}

/// What it is called that a picture or its answer is too large.
pub(super) fn too_large(what: TooMuch) -> Refusal {
    match what {
        TooMuch::Pixels { pixels, most } => Refusal::TooManyPixels { pixels, most },
        TooMuch::Bytes { bytes, most } => Refusal::AnswerTooLarge { bytes, most },
    }
}
