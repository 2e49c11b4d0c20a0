//! `stripe`

use super::{Desk, Failure, Report, table};
use crate::store::ParkedEvent;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum StripeCommand {
    /// List the events whose account is not known; they count as soon as it is
    Parked,
}

impl StripeCommand {
    pub(super) async fn run(self, desk: &Desk) -> Result<Report, Failure> {
        let Self::Parked = self;
        let parked = desk.store().await?.parked().await?;
        Report::new(words(&parked), parked)
    }
}

fn words(parked: &[ParkedEvent]) -> String {
    if parked.is_empty() {
        return "No event is parked: the account of each is known.".into();
    }
    let row = |event: &ParkedEvent| {
        [event.id.clone(), table::date(event.created), event.about.clone(), event.aliases.join(" ")]
    };
    let rows: Vec<_> = parked.iter().map(row).collect();
    let what_to_do =
        "Set metadata.uid on the customer's subscription at Stripe: its next event then brings these along.";
    format!("{}\n\n{what_to_do}", table::table(["EVENT", "CREATED", "ABOUT", "STRIPE'S IDS"], &rows))
}
