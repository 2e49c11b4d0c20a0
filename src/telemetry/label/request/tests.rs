use super::*;
use crate::{
    domain::refusal::{Refusal, Shortage},
    telemetry::{BackendClass, Outcome},
};
use std::time::Duration;

/// One of every refusal. The match fails to compile if one is missing.
fn refusals() -> Vec<Refusal> {
    let retry_after = Duration::ZERO;
    let first = |refusal: &Refusal| match refusal {
        Refusal::Invalid(_)
        | Refusal::Order(_)
        | Refusal::MalformedForm
        | Refusal::BodyTooLarge
        | Refusal::TooManyPixels { .. }
        | Refusal::AnswerTooLarge { .. }
        | Refusal::KeyAndToken
        | Refusal::InvalidKey
        | Refusal::InvalidToken
        | Refusal::EmailNotVerified
        | Refusal::TooFast { .. }
        | Refusal::DailyLimit { .. }
        | Refusal::MonthlyLimit { .. }
        | Refusal::BadSignature
        | Refusal::NotAnEvent
        | Refusal::NotFound
        | Refusal::MethodNotAllowed
        | Refusal::Internal
        | Refusal::BackendFailed
        | Refusal::TimedOut
        | Refusal::Unavailable { .. } => (),
    };
    let mut all = vec![
        Refusal::Invalid(Vec::new()),
        Refusal::Order(Vec::new()),
        Refusal::MalformedForm,
        Refusal::BodyTooLarge,
        Refusal::TooManyPixels { pixels: 1, most: 1 },
        Refusal::AnswerTooLarge { bytes: 1, most: 1 },
        Refusal::KeyAndToken,
        Refusal::InvalidKey,
        Refusal::InvalidToken,
        Refusal::EmailNotVerified,
        Refusal::TooFast { retry_after },
        Refusal::DailyLimit { retry_after },
        Refusal::MonthlyLimit { retry_after },
        Refusal::BadSignature,
        Refusal::NotAnEvent,
        Refusal::NotFound,
        Refusal::MethodNotAllowed,
        Refusal::Internal,
        Refusal::BackendFailed,
        Refusal::TimedOut,
    ];
    all.extend(Shortage::ALL.map(|shortage| Refusal::Unavailable { shortage, retry_after }));
    all.iter().for_each(first);
    all
}

#[test]
fn every_outcome_has_its_own_name_and_no_name_is_left_over() {
    let own = [Outcome::Served, Outcome::BackendRefused, Outcome::Abandoned];
    let all = own.into_iter().chain(refusals().into_iter().map(Outcome::Refused));
    let mut named: Vec<&str> = all.map(|outcome| outcome.as_str()).collect();
    for name in &named {
        assert_eq!(OutcomeName::named(name).as_str(), *name);
    }
    let mut known = OUTCOMES.to_vec();
    named.sort_unstable();
    named.dedup();
    known.sort_unstable();
    assert_eq!(named, known);
}

#[test]
fn a_status_belongs_to_one_class() {
    for (status, class) in [(200, "2xx"), (304, "3xx"), (400, "4xx"), (429, "429"), (499, "4xx"), (503, "5xx")] {
        assert_eq!(StatusClass::of(status).as_str(), class);
        assert_eq!(BackendClass::of(Some(status)).as_str(), class);
    }
    assert_eq!(BackendClass::of(None).as_str(), "none");
}
