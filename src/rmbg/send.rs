//! Step 4: the validated form goes to the backend, and its whole answer is read back.

use super::{Rmbg, Stop};
use crate::{
    backend::{Answer, Failure, Job},
    domain::{caller::Payer, complaint::Complaint, form::Form, refusal::Refusal},
    spool::Spooled,
};
use std::sync::Arc;
use tokio::time::Instant;

/// The priority of every payer: equal turns.
const EQUAL_TURNS: u8 = 1;

/// What the backend is asked to do.
pub(super) fn job(rmbg: &Rmbg, payer: &Payer, form: Form, image: Spooled, request_id: String) -> Job {
    let deadline = Instant::now() + rmbg.rules.answer_timeout;
    Job {
        form: Arc::new(form),
        image: Arc::new(image),
        payer: payer.clone(),
        priority: EQUAL_TURNS,
        deadline,
        request_id,
        budgets: rmbg.budgets.clone(),
        max_answer: rmbg.rules.max_answer,
    }
}

/// A complete 2xx, or the backend's own 400.
pub(super) async fn send(rmbg: &Rmbg, job: &Job) -> Result<Answer, Stop> {
    match rmbg.backend.cut(job).await {
        Ok(answer) if (200..300).contains(&answer.status) || answer.status == 400 => Ok(answer),
        Ok(answer) => Err(Stop::with_cause(Refusal::BackendFailed, &format!("the backend answered {}", answer.status))),
        Err(failure) => Err(stop_for(&failure)),
    }
}

fn stop_for(failure: &Failure) -> Stop {
    let refusal = match failure {
        Failure::Failed(_) => Refusal::BackendFailed,
        Failure::TimedOut => Refusal::TimedOut,
        Failure::Busy { retry_after } => Refusal::Busy { retry_after: *retry_after },
        Failure::Unreadable(_) => Refusal::Invalid(vec![Complaint::CorruptImage]),
    };
    Stop::with_cause(refusal, failure)
}
