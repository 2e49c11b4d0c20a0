//! `POST /api/webhooks/stripe`: the raw body within its bounds, and what Stripe is answered.

use super::{
    deliveries::Coming,
    in_flight::{self, InFlight},
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

pub(super) async fn stripe_webhook(State(public): State<Arc<PublicState>>, request: Request) -> Response {
    let mut record = Record::begin(request_id(request.headers()), Route::StripeWebhook);
    let counted = public.ingress.count_in(request.headers(), request.extensions(), &mut record);
    let (counted, taken) = match counted {
        Ok((counted, address)) => {
            let counted = Arc::new(Some(counted));
            let client = ClientAddress::of(address);
            let taken = take(&public, request, (Arc::clone(&counted), client), &mut record).await;
            (counted, taken)
        }
        Err(too_many) => {
            drain(&public.tasks, request, Arc::default());
            (Arc::default(), Err((too_many, None)))
        }
    };
    let answer = match taken {
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
    public.metrics.finish(&record);
    in_flight::until_sent(answer, counted)
}

async fn take(
    public: &PublicState,
    request: Request,
    (counted, client): (Arc<Option<InFlight>>, ClientAddress),
    record: &mut Record,
) -> Result<(), Refused> {
    let signature = request.headers().get(SIGNATURE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let signature = signature.to_owned();
    let refusal = if public.stripe.is_on() {
        // The body costs memory. Whoever cannot even have signed it lately does not get any.
        public.stripe.may_be_signed(&signature).err().map(|not_taken| refused(&not_taken))
    } else {
        Some((Refusal::NotFound, None))
    };
    if let Some(refusal) = refusal {
        drain(&public.tasks, request, counted);
        return Err(refusal);
    }
    let coming = public.deliveries.begin(client, Instant::now());
    let read = timeout(UPLOAD_TIME, read(request.into_body(), &coming)).await;
    let body = read.unwrap_or_else(|_| Err(no_room("the delivery took too long")))?;
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
            () = coming.cut_off() => return Err(no_room("too many deliveries at once, and this one gets on worst")),
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
