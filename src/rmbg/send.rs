//! Step 4: the validated form goes to the backend, and its whole answer is read back.

use super::{Rmbg, Stop, caller::Caller};
use crate::{
    backend::{Answer, AnswerRoom, Failure, Job},
    domain::{complaint::Complaint, form::Form, refusal::Refusal},
    picture::{self, TooMuch},
    spool::{Holder, Spooled},
};
use std::sync::Arc;
use tokio::time::Instant;

/// The status of an answer that is only a part of what was asked for.
const PART: u16 = 206;

/// More bytes than an answer will hardly have for a pixel: uncompressed it has four, and a third more in base64.
const BYTES_PER_PIXEL: u64 = 6;

/// What the backend is asked to do.
pub(super) fn job(rmbg: &Rmbg, caller: &Caller, (form, image): (Form, Spooled), holder: Holder, id: String) -> Job {
    let (width, height) = picture::result_size((form.image.header.width, form.image.header.height), &form.wish);
    let bound = u64::from(width) * u64::from(height) * BYTES_PER_PIXEL;
    let deadline = Instant::now() + rmbg.rules.answer_timeout;
    Job {
        form: Arc::new(form),
        image: Arc::new(image),
        pixel_limit: caller.pixel_limit(&rmbg.rules),
        deadline,
        request_id: id,
        payer: caller.draw(&rmbg.rules).payer(),
        priority: caller.priority(&rmbg.rules),
        room: AnswerRoom::new(rmbg.budgets.clone(), holder, bound),
        sent_whole: Arc::default(),
    }
}

/// A complete 2xx with something in it, or the backend's own 400.
pub(super) async fn send(rmbg: &Rmbg, job: &Job) -> Result<Answer, Stop> {
    match rmbg.backend.cut(job).await {
        Ok(answer) if (200..300).contains(&answer.status) && answer.body.is_empty() => {
            Err(Stop::with_cause(Refusal::BackendFailed, "the backend answered without a picture"))
        }
        Ok(answer) if answer.status == PART => {
            Err(Stop::with_cause(Refusal::BackendFailed, "the backend answered with a part of a picture"))
        }
        Ok(answer) if (200..300).contains(&answer.status) || answer.status == 400 => Ok(answer),
        Ok(answer) => Err(Stop::with_cause(Refusal::BackendFailed, &format!("the backend answered {}", answer.status))),
        Err(failure) => Err(stop_for(&failure)),
    }
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
