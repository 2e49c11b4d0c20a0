//! The golden tables of errors, byte for byte.

use super::*;
use crate::domain::{
    limit::LimitState,
    order_fault::{FileRole, OrderFault},
    rate_limit::Burst,
    refusal::Shortage,
};
use http_body_util::BodyExt as _;
use std::time::Duration;

/// Status and body of every error of remove.bg's API.
const REMOVEBG_TABLE: &str = include_str!("removebg.tsv");

/// The same of the API of `rembg s`.
const REMBG_TABLE: &str = include_str!("rembg.tsv");

const SOON: Duration = Duration::from_millis(1_500);

const NOW: UnixSeconds = UnixSeconds(1_773_576_000);
const ERRORS: ErrorForm = ErrorForm::RemoveBg { now: NOW, without_key: false };
const WITHOUT_KEY: ErrorForm = ErrorForm::RemoveBg { now: NOW, without_key: true };

fn order_faults() -> Vec<OrderFault> {
    use FileRole::{Background, Image};
    let roles = [Image, Background];
    let of_both = [
        OrderFault::FailedDownload,
        OrderFault::FileTooLarge,
        OrderFault::InvalidFileType,
        OrderFault::InvalidDimensions,
        OrderFault::FailedToRead,
    ];
    let mut all = vec![OrderFault::MissingSource, OrderFault::MultipleSources, OrderFault::MultipleBackgrounds];
    all.extend(["size", "channels"].map(OrderFault::InvalidValue));
    let names =
        ["format", "bg_color", "crop", "crop_margin", "scale", "position", "roi", "semitransparency", "add_shadow"];
    all.extend(names.map(OrderFault::InvalidParameter));
    all.extend(roles.map(|role| OrderFault::InvalidUrl(role.url_parameter())));
    all.extend(of_both.iter().flat_map(|fault| roles.map(fault)));
    all.extend([
        OrderFault::RegionEmpty,
        OrderFault::RegionExceeds,
        OrderFault::ResolutionTooHigh { found: "12000 pixels wide".into(), most: 10_000 },
        OrderFault::UnknownForeground,
        OrderFault::Unsupported("add_shadow", "No shadows are made here."),
        OrderFault::Unsupported("shadow_type", "No shadows are made here."),
    ]);
    all
}

/// Every refusal that a request may meet.
fn refusals() -> Vec<Refusal> {
    let mut all: Vec<_> = order_faults().into_iter().map(|fault| Refusal::Order(vec![fault])).collect();
    all.extend([
        Refusal::Order(vec![OrderFault::InvalidValue("size"), OrderFault::InvalidParameter("format")]),
        Refusal::Invalid(vec![Complaint::CorruptImage]),
        Refusal::TooManyPixels { pixels: 60_000_000, most: 50_000_000 },
        Refusal::MalformedForm,
        Refusal::KeyAndToken,
        Refusal::InvalidKey,
        Refusal::EmailNotVerified,
        Refusal::MonthlyLimit { retry_after: SOON },
        Refusal::TooFast { retry_after: SOON },
        Refusal::NotFound,
        Refusal::MethodNotAllowed,
        Refusal::BodyTooLarge,
        Refusal::AnswerTooLarge { bytes: 200_000_000, most: 167_772_160 },
        Refusal::Internal,
        Refusal::BackendFailed,
        Refusal::TimedOut,
    ]);
    all.extend(Shortage::ALL.map(|shortage| Refusal::Unavailable { shortage, retry_after: SOON }));
    all
}

async fn line(response: Response) -> String {
    let status = response.status().as_u16();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    format!("{status}\t{}", String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn every_error_of_removebg_is_the_tables_byte_for_byte() {
    let mut said = Vec::new();
    for refusal in refusals() {
        said.push(line(ERRORS.write(&refusal, &[], "id")).await);
    }
    said.push(line(WITHOUT_KEY.write(&Refusal::InvalidKey, &[], "id")).await);
    assert_eq!(said.join("\n") + "\n", REMOVEBG_TABLE);
}

#[tokio::test]
async fn every_error_of_rembg_is_the_tables_byte_for_byte() {
    let complaints = [
        Complaint::MissingFile,
        Complaint::CorruptImage,
        Complaint::MustBe("model", "one of the models that are accepted here"),
        Complaint::NotAccepted("extras"),
        Complaint::NotFetched,
    ];
    let mut said = Vec::new();
    for complaint in complaints.clone() {
        said.push(line(ErrorForm::Rembg.write(&Refusal::Invalid(vec![complaint]), &[], "id")).await);
    }
    said.push(line(ErrorForm::Rembg.write(&Refusal::Invalid(complaints[2..4].to_vec()), &[], "id")).await);
    let more = [
        Refusal::InvalidKey,
        Refusal::TooFast { retry_after: SOON },
        Refusal::MonthlyLimit { retry_after: SOON },
        Refusal::MethodNotAllowed,
        Refusal::TooManyPixels { pixels: 60_000_000, most: 50_000_000 },
        Refusal::Unavailable { shortage: Shortage::QueueFull, retry_after: SOON },
    ];
    for refusal in more {
        said.push(line(ErrorForm::Rembg.write(&refusal, &[], "id")).await);
    }
    assert_eq!(said.join("\n") + "\n", REMBG_TABLE);
}

#[test]
fn a_429_says_when_and_how_much_and_a_402_does_not() {
    let burst = Burst { per_minute: 60, size: 20 };
    let limits = [Limit::burst(burst, Some(LimitState::none_for(SOON))), Limit::month(50, None)];
    let told = |refusal: &Refusal, limits: &[Limit]| {
        let headers = ERRORS.write(refusal, limits, "id").headers().clone();
        [header::RETRY_AFTER, LIMIT, REMAINING, RESET]
            .map(|name| headers.get(name).map_or_else(String::new, |value| value.to_str().unwrap().to_owned()))
    };
    let too_fast = Refusal::TooFast { retry_after: SOON };
    assert_eq!(told(&too_fast, &limits), ["2", "20", "0", "1773576002"]);
    assert_eq!(told(&too_fast, &[]), ["2", "0", "0", "1773576002"], "before any limit was checked");
    assert_eq!(told(&Refusal::MonthlyLimit { retry_after: SOON }, &limits), ["", "", "", ""]);
    let busy = Refusal::Unavailable { shortage: Shortage::QueueFull, retry_after: SOON };
    assert_eq!(told(&busy, &limits), ["2", "", "", ""]);
}
