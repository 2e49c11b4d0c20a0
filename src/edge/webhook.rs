//! `POST /api/webhooks/stripe`: the raw body within its bounds, and what Stripe is answered.

use super::{
    public::{Public, request_id},
    reply,
};
use crate::{
    domain::refusal::Refusal,
    stripe::webhook::NotTaken,
    telemetry::{Outcome, Record, Route},
};
use axum::{
    body::Body,
    extract::{Request, State},
    response::Response,
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// Bytes of the longest delivery. Stripe's largest events are some tens of KiB.
const LONGEST: usize = 1024 * 1024;

/// For the whole body to arrive.
const UPLOAD_TIME: Duration = Duration::from_secs(30);

const SIGNATURE: &str = "stripe-signature";

/// What Stripe is told of a delivery that was taken.
#[derive(Serialize)]
struct Received {
    received: bool,
}

/// Why a delivery was not taken, for the sender and for the log.
type Refused = (Refusal, Option<String>);

pub(super) async fn stripe_webhook(State(public): State<Arc<Public>>, request: Request) -> Response {
    let mut record = Record::begin(request_id(request.headers()), Route::StripeWebhook);
    let answer = match take(&public, request, &mut record).await {
        Ok(()) => {
            record.outcome = Outcome::Served;
            reply::private_json(&Received { received: true }, &record.request_id)
        }
        Err((refusal, cause)) => {
            let answer = reply::refused(&refusal, &record.request_id);
            record.cause = record.cause.or(cause);
            record.outcome = Outcome::Refused(refusal);
            answer
        }
    };
    public.metrics.finish(&record);
    answer
}

async fn take(public: &Public, request: Request, record: &mut Record) -> Result<(), Refused> {
    let (head, body) = request.into_parts();
    if !public.stripe.is_on() {
        return Err((Refusal::NotFound, None));
    }
    // Nobody knows yet whether this is Stripe, and the body is held in memory.
    let counted = public.door.count_in(&head.headers, &head.extensions, record);
    let (_counted, _) = counted.map_err(|too_many| (too_many, None))?;
    let body = whole(body).await?;
    let signature = head.headers.get(SIGNATURE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let taken = public.stripe.take(signature, &body, record).await;
    taken.map_err(|not_taken: NotTaken| (not_taken.refusal(), Some(not_taken.to_string())))
}

async fn whole(body: Body) -> Result<Bytes, Refused> {
    match timeout(UPLOAD_TIME, Limited::new(body, LONGEST).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err((Refusal::BodyTooLarge, None)),
        Ok(Err(error)) => Err((Refusal::NotAnEvent, Some(error.to_string()))),
        Err(_) => {
            let refusal = Refusal::Busy { retry_after: Duration::from_secs(1) };
            Err((refusal, Some("the delivery took too long".into())))
        }
    }
}
