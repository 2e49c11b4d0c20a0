//! `stripe`

use super::{Desk, Failure, Report, table};
use crate::store::ParkedEvent;
use clap::Subcommand;
use serde_json::json;

#[derive(Debug, Subcommand)]
pub(super) enum StripeCommand {
    /// List the events whose account is not known; they count as soon as it is
    Parked,
    /// Forget a parked event that will never find its account, such as a dispute over a payment made elsewhere
    Forget {
        /// evt_…
        event: String,
    },
}

impl StripeCommand {
    pub(super) async fn run(self, desk: &Desk) -> Result<Report, Failure> {
        let store = desk.store().await?;
        let parked = store.parked().await?;
        match self {
            Self::Parked => Report::new(words(&parked), parked),
            Self::Forget { event } => {
                let was_parked = parked.iter().any(|one| one.id == event);
                store.unpark(&event).await?;
                let says = if was_parked { "is forgotten" } else { "is not parked" };
                Ok(Report::new(format!("{event} {says}."), json!({ "forgotten": was_parked }))?.judged(was_parked))
            }
        }
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
    let what_to_do = "Set metadata.uid on the customer's subscription at Stripe: its next event then brings these along.\n\
         What can find no account for good is forgotten by: rembg-gateway stripe forget EVENT";
    format!("{}\n\n{what_to_do}", table::table(["EVENT", "CREATED", "ABOUT", "STRIPE'S IDS"], &rows))
}
