//! Step 4: the validated form goes to the backend, and its whole answer is read back.

use super::{Rmbg, Stop, caller::Caller};
use crate::{
    backend::{Answer, Failure, Job},
    domain::{complaint::Complaint, form::Form, refusal::Refusal},
    picture::TooMuch,
    spool::Spooled,
};
use std::sync::Arc;
use tokio::time::Instant;

/// The status of an answer that is only a part of what was asked for.
const PART: u16 = 206;

/// What the backend is asked to do.
pub(super) fn job(rmbg: &Rmbg, caller: &Caller, form: Form, image: Spooled, request_id: String) -> Job {
    let deadline = Instant::now() + rmbg.rules.answer_timeout;
    Job {
        form: Arc::new(form),
        image: Arc::new(image),
        pixel_limit: caller.pixel_limit(&rmbg.rules),
        deadline,
        request_id,
        payer: caller.draw(&rmbg.rules).payer(),
        priority: caller.priority(&rmbg.rules),
        budgets: rmbg.budgets.clone(),
        max_answer: rmbg.rules.max_answer,
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
