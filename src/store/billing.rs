//! What Stripe's events change, as the store sees it. What they mean is decided above; here it is only written.

use super::Fault;
use crate::domain::{
    account::{Account, Uid},
    credit::OperationId,
    period::{BillingPeriod, Move},
    time::UnixSeconds,
};
use serde::Serialize;

/// Where a step starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StripeState {
    /// The account as it is stored: a fall to the default plan that is due but not written yet does not show. `None` if
    /// there is no such account.
    pub account: Option<Account>,
    /// What the last step left under [`StripeStep::remembered`].
    pub remembered: Option<String>,
    /// Prepaid credits that are set aside for requests under way.
    pub held_prepaid: u64,
    /// How many steps were applied to the account, and plans assigned to it by hand; to be sent back as [`StripeStep::expected`].
    pub version: u64,
}

/// Everything that follows from one event, to be written all at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StripeStep {
    /// `evt_…`, and more where an event takes several steps: claimed for this account with the step's effect. It is the
    /// operation id of the ledger entries.
    pub event: String,
    /// The account; made, with nothing and not verified, if there is none.
    pub uid: Uid,
    /// The version of the state that the step was computed from.
    pub expected: u64,
    /// What is remembered of the account's events from now on, in a form of the caller's.
    pub remembered: String,
    /// Stripe's ids whose [`StripeObject`] is about this account, among others; a store's export takes them along.
    pub learn: Vec<String>,
    /// What changes about the account.
    pub changes: Changes,
}

/// What an event changes about an account; by default nothing.
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

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    /// Written, and its ids learnt.
    Applied,
    /// The event was claimed before: nothing is written, but its ids are learnt, should that have been cut off.
    Duplicate,
    /// Another step came in between: nothing is written. Read the state again.
    Stale,
}

/// What is known of one of Stripe's objects, or of a customer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StripeObject {
    /// How often it was written; to be sent back when it is written next.
    pub version: u64,
    /// In a form of the caller's; empty if nothing is known.
    pub text: String,
}

/// An event that waits, or that an operator must see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ParkedEvent {
    /// `evt_…`
    pub id: String,
    /// When Stripe made it.
    pub created: UnixSeconds,
    /// What it is about, for people.
    pub about: String,
    /// Why it waits, in one word of a closed set, and what else there is to say.
    pub reason: String,
    /// Stripe's ids, any of which may lead to the account one day.
    pub aliases: Vec<String>,
    /// The event itself, in a form of the caller's.
    #[serde(skip)]
    pub event: String,
}

/// The fault that an operation's id was used for granting another number.
pub(super) fn conflict(id: &OperationId, granted: i64) -> Fault {
    Fault::Conflict(format!("{} has been used already, to grant {granted} credits", id.0))
}
