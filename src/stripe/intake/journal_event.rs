//! What has changed accounts, as it is in the journal to be processed again.

use crate::{
    domain::{account::Uid, time::UnixMicros},
    stripe::event::Event,
};
use serde::{Deserialize, Serialize};

/// One event.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::stripe) enum JournalEvent {
    /// One of Stripe's events.
    Event(Box<Event>),
    /// An operator's claim about an object's owner, at this moment.
    Move(String, Uid, UnixMicros),
}
