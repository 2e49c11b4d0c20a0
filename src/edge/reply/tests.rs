use super::*;
use crate::domain::refusal::Shortage;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::time::Duration;

/// The contract's error table, and below it our own errors. A row is the status and `error`.
const TABLE: &str = include_str!("refusals.tsv");

const SOON: Duration = Duration::from_millis(1_500);

pub(super) fn complaints() -> Vec<Complaint> {
    vec![
        Complaint::NoImage,
        Complaint::NoFileSelected,
        Complaint::UnsupportedType(".exe".into()),
        Complaint::CorruptImage,
        Complaint::EmptyFile,
        Complaint::FileTooLarge(57_881_395),
        Complaint::TooWide(12_000),
        Complaint::TooTall(15_000),
        Complaint::NotAnInteger("w", "abc".into()),
        Complaint::BelowRange("w", 1, "-5".into()),
        Complaint::AboveRange("w", 10_000, "15000".into()),
        Complaint::NotANumber("angle", "ninety".into()),
        Complaint::AngleOutOfRange(500.0),
        Complaint::BadFormat("gif".into()),
        Complaint::BadColour("#12345".into()),
        Complaint::MaskWithColour,
    ]
}

/// All refusals, in the table's order.
pub(super) fn refusals() -> Vec<Refusal> {
    let mut all: Vec<_> = complaints().into_iter().map(|one| Refusal::Invalid(vec![one])).collect();
    all.extend([
        Refusal::EmailNotVerified,
        Refusal::InvalidKey,
        Refusal::KeyAndToken,
        Refusal::TooFast { retry_after: SOON },
        Refusal::DailyLimit { retry_after: SOON },
        Refusal::MonthlyLimit { retry_after: SOON },
        Refusal::InvalidToken,
        Refusal::NotFound,
        Refusal::MethodNotAllowed,
        Refusal::BodyTooLarge,
        Refusal::TooManyPixels { pixels: 50_000_000, most: 40_000_000 },
        Refusal::AnswerTooLarge { bytes: 160_000_122, most: 134_217_728 },
        Refusal::BackendFailed,
        Refusal::Unavailable { shortage: Shortage::NoRoom, retry_after: SOON },
        Refusal::TimedOut,
        Refusal::MalformedForm,
        Refusal::BadSignature,
        Refusal::NotAnEvent,
        Refusal::Internal,
    ]);
    all
}

async fn body_of(response: Response) -> Value {
    serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

#[tokio::test]
async fn every_refusal_has_the_tables_status_and_words_and_every_row_a_refusal() {
    let mut said = Vec::new();
    for refusal in refusals() {
        let response = refused(&refusal, "id");
        let status = response.status().as_u16();
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        let body = body_of(response).await;
        assert_eq!(body["status"], status, "{body}");
        assert_eq!(body.get("details"), None, "{body}");
        said.push(format!("{status}\t{}", body["error"].as_str().unwrap()));
    }
    assert_eq!(said, TABLE.lines().collect::<Vec<_>>());
}

#[test]
fn every_429_and_503_says_when_to_retry_rounded_up() {
    for refusal in refusals() {
        let response = refused(&refusal, "id");
        let needs_it = [429, 503].contains(&response.status().as_u16());
        let said = response.headers().get(header::RETRY_AFTER).map(|value| value.to_str().unwrap());
        assert_eq!(said, needs_it.then_some("2"), "{refusal:?}");
    }
}

#[tokio::test]
async fn the_code_of_a_503_tells_what_is_missing() {
    let codes = ["queue_full", "backend_unavailable", "backend_account_exhausted", "store_unavailable", "no_room"];
    for (shortage, code) in Shortage::ALL.into_iter().zip(codes) {
        let body = body_of(refused(&Refusal::Unavailable { shortage, retry_after: SOON }, "id")).await;
        assert_eq!(body["code"], code, "{body}");
    }
}

#[tokio::test]
async fn two_complaints_are_listed_under_a_general_error() {
    let both = vec![Complaint::NotAnInteger("w", "abc".into()), Complaint::AngleOutOfRange(500.0)];
    let body = body_of(refused(&Refusal::Invalid(both), "id")).await;
    let documented = json!({"error": "Multiple validation errors",
        "details": [{"field": "w", "message": "'w' must be an integer, got: 'abc'"},
                    {"field": "angle", "message": "'angle' must be between -360 and 360 degrees, got: 500.0"}],
        "status": 400, "code": "invalid", "request_id": "id"});
    assert_eq!(body, documented);
}
