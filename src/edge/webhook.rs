//! `POST /api/webhooks/stripe`: reads the raw body within its bounds, and answers Stripe.

use super::{
    deliveries::Coming,
    in_flight::{self, InFlight},
    noted::note,
    refuse::refuse_uncounted,
    reply,
    request_id::request_id,
    state::PublicState,
    unread::drain,
};
use crate::{
    domain::{
        client_address::ClientAddress,
        refusal::{Refusal, Shortage},
    },
    stripe::webhook::NotTaken,
    telemetry::{Outcome, Record, Route},
};
use axum::{
    body::Body,
    extract::{Request, State},
    response::Response,
};
use http_body_util::BodyExt as _;
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};

/// The bytes of the longest delivery. Stripe's largest events have some tens of KiB.
const LONGEST: usize = 1024 * 1024;

/// The time within which the whole body must arrive.
const UPLOAD_TIME: Duration = Duration::from_secs(30);

const SIGNATURE: &str = "stripe-signature";

/// The answer to a delivery that was taken.
#[derive(Serialize)]
struct Received {
    received: bool,
}

/// Why a delivery was not taken, for the sender and for the log.
type Refused = (Refusal, Option<String>);

pub(super) async fn stripe_webhook(State(public): State<Arc<PublicState>>, request: Request) -> Response {
    let mut record = Record::begin(request_id(request.headers()), Route::StripeWebhook);
    let (in_flight, address) = match public.ingress.enter(&request, &mut record) {
        Ok(entered) => entered,
        Err(too_many) => return refuse_uncounted(&public, request, record, too_many),
    };
    let client = ClientAddress::of(address);
    let answer = match take(&public, request, (Arc::clone(&in_flight), client), &mut record).await {
        Ok(()) => {
            record.outcome = Outcome::Served;
            reply::json(&Received { received: true }, &record.request_id)
        }
        Err((refusal, cause)) => {
            let answer = reply::refused(&refusal, &record.request_id);
            record.cause = record.cause.or(cause);
            record.outcome = Outcome::Refused(refusal);
            answer
        }
    };
    note(&answer, &mut record);
    public.metrics.finish(&record);
    in_flight::until_sent(answer, in_flight)
}

async fn take(
    public: &PublicState,
    request: Request,
    (in_flight, client): (Arc<InFlight>, ClientAddress),
    record: &mut Record,
) -> Result<(), Refused> {
    let signature = request.headers().get(SIGNATURE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let signature = signature.to_owned();
    let refusal = if public.stripe.is_on() {
        // The body takes memory. It gets none if its signature cannot be a recent one.
        public.stripe.may_be_signed(&signature).err().map(|not_taken| refused(&not_taken))
    } else {
        Some((Refusal::NotFound, None))
    };
    if let Some(refusal) = refusal {
        drain(&public.tasks, request, in_flight);
        return Err(refusal);
    }
    let coming = public.deliveries.begin(client, Instant::now());
    let read = timeout(UPLOAD_TIME, read(request.into_body(), &coming)).await;
    let body = read.unwrap_or_else(|_| Err(no_room("the delivery took too long")))?;
    record.received = body.len() as u64;
    public.stripe.take(&signature, &body, record).await.map_err(|not_taken| refused(&not_taken))
}

fn refused(not_taken: &NotTaken) -> Refused {
    (not_taken.refusal(), Some(not_taken.to_string()))
}

async fn read(mut body: Body, coming: &Coming) -> Result<Vec<u8>, Refused> {
    let mut read = Vec::new();
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            () = coming.cut_off() => return Err(no_room("too many deliveries at once, and this one makes the least progress")),
        };
        let Some(frame) = frame else { return Ok(read) };
        let frame = frame.map_err(|error| (Refusal::NotAnEvent, Some(error.to_string())))?;
        let Ok(piece) = frame.into_data() else { continue };
        if read.len() + piece.len() > LONGEST {
            return Err((Refusal::BodyTooLarge, None));
        }
        coming.takes(piece.len() as u64, Instant::now());
        read.extend_from_slice(&piece);
    }
}

fn no_room(cause: &str) -> Refused {
    let retry_after = Duration::from_secs(1);
    (Refusal::Unavailable { shortage: Shortage::NoRoom, retry_after }, Some(cause.into()))
}
