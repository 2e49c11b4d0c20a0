//! The changes that Stripe's events make, as the store sees them. `stripe` decides what an event means; the store only
//! writes.

use super::{Billing, Fault, Result};
use crate::domain::{
    account::{Account, Uid},
    credit::OperationId,
    period::{BillingPeriod, Move},
    time::UnixSeconds,
};
use async_trait::async_trait;
use serde::Serialize;
use std::sync::Arc;

/// The state that a step starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StripeState {
    /// The account as it is stored: a fall to the default plan that is due but not written yet does not show. `None` if
    /// there is no such account.
    pub account: Option<Account>,
    /// The text that the last step left in [`StripeStep::remembered`].
    pub remembered: Option<String>,
    /// Prepaid credits that are set aside for requests in flight.
    pub held_prepaid: u64,
    /// How many steps were applied to the account, and plans assigned to it by hand. Send it back as
    /// [`StripeStep::expected`].
    pub version: u64,
}

/// Everything that follows from one event, to be written all at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StripeStep {
    /// `evt_…`, and more where an event takes several steps. It is claimed for this account together with the step's
    /// effect, and is the operation id of the ledger entries.
    pub event: String,
    /// The account. If there is none, it is made, with nothing and not verified.
    pub uid: Uid,
    /// The version of the state that the step was computed from.
    pub expected: u64,
    /// The caller's own text about the account's events, which the next step gets.
    pub remembered: String,
    /// Stripe's ids whose [`StripeObject`] concerns the account, among others. A store's export takes them along.
    pub learn: Vec<String>,
    /// The changes to the account.
    pub changes: Changes,
}

/// The changes that an event makes to an account; none by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The plan to assign: its name and its included credits.
    pub plan: Option<(String, u64)>,
    /// The billing period to store.
    pub period: Option<BillingPeriod>,
    /// Cycles whose usage, settled or still on hold, belongs to another one.
    pub moves: Vec<Move>,
    /// Prepaid credits to add or, if negative, to take back, even where they are spent already.
    pub credits: i64,
    /// Whether credits are taken back only where they are neither spent nor set aside; otherwise the step is stale.
    pub only_free: bool,
}

/// The outcome of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    /// The step was written, and its ids were learnt.
    Applied,
    /// The event was claimed before. Nothing is written except its ids, in case learning them was interrupted.
    Duplicate,
    /// Another step came in between. Nothing is written; read the state again.
    Stale,
}

/// The stored text about one of Stripe's objects, or about a customer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StripeObject {
    /// How often it was written. Send it back with the next write.
    pub version: u64,
    /// The caller's own text; empty if nothing is known.
    pub text: String,
}

/// An event that waits, or that an operator must look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ParkedEvent {
    /// `evt_…`
    pub id: String,
    /// When Stripe made it.
    pub created: UnixSeconds,
    /// Its subject, for people.
    pub about: String,
    /// Why it waits: one word of a closed set, and perhaps more.
    pub reason: String,
    /// Stripe's ids, each of which may lead to the account some day.
    pub aliases: Vec<String>,
    /// The event itself, as the caller's own text.
    #[serde(skip)]
    pub event: String,
}

/// Processes events again whose results a store may have lost.
#[async_trait]
pub trait Reprocess: Send + Sync + 'static {
    /// Processes an event that was [noted](Billing::note_event). What is not lost stays as it is.
    async fn process(&self, store: Arc<dyn Billing>, event: &str) -> Result<()>;
}

/// The fault that an operation's id was used for granting another number.
pub(super) fn conflict(id: &OperationId, granted: i64) -> Fault {
    Fault::Conflict(format!("{} has been used already, to grant {granted} credits", id.0))
}
