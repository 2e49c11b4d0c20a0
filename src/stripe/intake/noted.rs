//! What has changed accounts, as it is noted in the store to be processed again.

use crate::{
    domain::{account::Uid, time::UnixMicros},
    stripe::event::Event,
};
use serde::{Deserialize, Serialize};

/// One change.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::stripe) enum Noted {
    /// One of Stripe's events.
    Event(Box<Event>),
    /// An operator's claim about an object's owner, at this moment.
    Move(String, Uid, UnixMicros),
}
