//! `POST /api/webhooks/stripe`: the raw body within its bounds, and what Stripe is answered.

use super::{
    public::{Public, request_id},
    reply,
};
use crate::{
    domain::refusal::{Refusal, Shortage},
    spool::{Budget, Share},
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
use tokio::time::timeout;

/// Bytes of the longest delivery. Stripe's largest events are some tens of KiB.
const LONGEST: usize = 1024 * 1024;

/// Bytes of all deliveries under way: until the last byte has come, nobody knows whether Stripe sends them.
const ROOM: u64 = 32 * 1024 * 1024;

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

/// Memory for the deliveries under way.
#[must_use]
pub fn room_for_deliveries() -> Arc<Budget> {
    Budget::new(ROOM)
}

pub(super) async fn stripe_webhook(State(public): State<Arc<Public>>, request: Request) -> Response {
    let mut record = Record::begin(request_id(request.headers()), Route::StripeWebhook);
    let answer = match take(&public, request, &mut record).await {
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
    let (body, _share) = whole(body, &public.deliveries).await?;
    let signature = head.headers.get(SIGNATURE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let taken = public.stripe.take(signature, &body, record).await;
    taken.map_err(|not_taken: NotTaken| (not_taken.refusal(), Some(not_taken.to_string())))
}

/// The whole body, and its share of the room until it has been judged.
async fn whole(body: Body, room: &Arc<Budget>) -> Result<(Vec<u8>, Share), Refused> {
    let read = timeout(UPLOAD_TIME, read(body, room)).await;
    read.unwrap_or_else(|_| Err(no_room("the delivery took too long")))
}

async fn read(mut body: Body, room: &Arc<Budget>) -> Result<(Vec<u8>, Share), Refused> {
    let full = || no_room("too many deliveries at once");
    let (mut read, mut share) = (Vec::new(), room.take(0).ok_or_else(full)?);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| (Refusal::NotAnEvent, Some(error.to_string())))?;
        let Ok(piece) = frame.into_data() else { continue };
        let length = read.len() + piece.len();
        if length > LONGEST {
            return Err((Refusal::BodyTooLarge, None));
        }
        if !share.grow_to(length as u64) {
            return Err(full());
        }
        read.extend_from_slice(&piece);
    }
    Ok((read, share))
}

fn no_room(cause: &str) -> Refused {
    let retry_after = Duration::from_secs(1);
    (Refusal::Unavailable { shortage: Shortage::NoRoom, retry_after }, Some(cause.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn deliveries_that_are_read_at_once_share_a_room() {
        let room = Budget::new(10);
        let (read, share) = whole(Body::from("a body"), &room).await.unwrap();
        assert_eq!(read, b"a body");
        let (refusal, _) = whole(Body::from("12345"), &room).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Unavailable { .. }), "{refusal:?}");
        drop(share);
        assert!(whole(Body::from("12345"), &room).await.is_ok());
        assert_eq!(room.used(), 0);
    }
}
