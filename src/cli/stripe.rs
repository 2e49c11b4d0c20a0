//! `stripe`

use super::{Failure, Report, Session, input, table};
use crate::{
    domain::account::Uid,
    store::ParkedEvent,
    stripe::intake::{Intake, Moved},
};
use clap::Subcommand;
use serde_json::json;
use std::collections::BTreeSet;

#[derive(Debug, Subcommand)]
pub(super) enum StripeCommand {
    /// List the parked events, and why each is parked
    Parked,
    /// Move a subscription or a payment, or everything of a customer, to another account
    ///
    /// Plan, window, packs and reversals move; usage stays where it was counted. From then on, Stripe's metadata no
    /// longer decides whose it is: only this command moves it again.
    Move {
        /// sub_…, pi_… or cs_…; cus_… for everything of a customer, now and later
        id: String,
        /// The account that will own it
        #[arg(long, value_name = "UID", value_parser = input::uid)]
        to: Uid,
    },
    /// Forget a parked event that will never find its account, such as a dispute over a payment made elsewhere
    Forget {
        /// evt_…
        event: String,
    },
}

impl StripeCommand {
    pub(super) async fn run(self, session: &Session) -> Result<Report, Failure> {
        let store = session.store().await?;
        match self {
            Self::Parked => {
                let parked = store.parked().await?;
                Report::new(words(&parked), parked)
            }
            Self::Move { id, to } => {
                let intake = Intake::new(store, &session.config, session.clock.clone());
                let moved = intake.move_to(&id, &to).await?;
                Report::new(words_of_moves(&moved, &id, &to), json!({ "moved": moved }))
            }
            Self::Forget { event } => {
                let parked = store.parked().await?;
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
        return "No event is parked.".into();
    }
    let row = |event: &ParkedEvent| {
        let why = event.reason.clone();
        [event.id.clone(), table::date(event.created), event.about.clone(), why, event.aliases.join(" ")]
    };
    let rows: Vec<_> = parked.iter().map(row).collect();
    let reasons: BTreeSet<_> = parked.iter().map(|event| event.reason.split(':').next().unwrap_or_default()).collect();
    let advice: Vec<_> =
        reasons.into_iter().filter_map(|reason| Some(format!("{reason}: {}", advice(reason)?))).collect();
    let what_to_do = "Forget an event that needs nothing more with: rembg-gateway stripe forget EVENT";
    let table = table::table(["EVENT", "CREATED", "ABOUT", "WHY", "STRIPE'S IDS"], &rows);
    format!("{table}\n\n{}\n{what_to_do}", advice.join("\n"))
}

/// Advice for the events that are parked for one reason.
fn advice(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "no_account" => {
            "set metadata.uid on the subscription at Stripe (its next event frees these), or run: rembg-gateway stripe \
             move ID --to UID"
        }
        "several_accounts" => "its customer has several accounts; do the same as for no_account.",
        "unlisted_price" => {
            "none of its prices is in [stripe.prices]; name it there and restart, if the subscription is for a plan."
        }
        "unreadable_credits" => {
            "metadata.credits must be digits only; nothing was granted, so run: rembg-gateway credits grant UID N --id SESSION"
        }
        "spent_already" => "that many refunded credits were spent before they could be taken back.",
        _ => return None,
    })
}

fn words_of_moves(moved: &[Moved], id: &str, to: &Uid) -> String {
    let one = |moved: &Moved| match &moved.from {
        Some(from) if from == to => format!("{} already belongs to account {to}.", moved.id),
        Some(from) => format!("{} has moved from account {from} to account {to}.", moved.id),
        None => format!("{} now belongs to account {to}.", moved.id),
    };
    let mut lines: Vec<_> = moved.iter().map(one).collect();
    if !moved.iter().any(|moved| moved.id == id) {
        lines.push(format!(
            "New objects of {id} will belong to account {to}, unless Stripe names another account for them."
        ));
    }
    lines.join("\n")
}
