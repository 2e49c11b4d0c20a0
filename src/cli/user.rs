//! `user`

use super::{Failure, Report, Session, input};
use crate::{
    admin::{AccountMade, AccountOrder},
    domain::{
        account::{Overrides, Uid},
        rate_limit::Burst,
    },
};
use clap::{Args, Subcommand};
use std::fmt::Write as _;

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Make an account, or change an existing one: only the values named here change
    Add(Add),
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// The account's id, 1 to 128 characters
    #[arg(value_parser = input::uid)]
    uid: Uid,
    /// Plan to put it on, with the plan's credits; a new account gets the default plan
    #[arg(long, value_name = "NAME")]
    plan: Option<String>,
    /// Included credits instead of the plan's, until it is next put on a plan
    #[arg(long, value_name = "N", value_parser = input::credits)]
    credits: Option<u64>,
    /// Short-term limit instead of the plan's, until it is next put on a plan: requests a minute, and at once after a
    /// rest
    #[arg(long, value_name = "PER_MINUTE/SIZE", value_parser = input::burst)]
    burst: Option<Burst>,
    /// Backend priority instead of the plan's, until it is next put on a plan: how many more turns than others it gets
    #[arg(long, value_name = "N")]
    priority: Option<u8>,
    /// Most pixels of a picture instead of the plan's, until it is next put on a plan; 0 for no limit except the
    /// backend's own
    #[arg(long, value_name = "N", value_parser = input::pixels)]
    max_pixels: Option<u64>,
    /// Prepaid credits to begin with; repeating this does not add them again
    #[arg(long, value_name = "N")]
    prepaid: Option<u32>,
    /// Whether the e-mail address counts as verified; if not, calls are refused. True for an account made here
    #[arg(long, value_name = "true|false", hide_possible_values = true)]
    email_verified: Option<bool>,
}

impl UserCommand {
    pub(super) async fn run(self, session: &Session) -> Result<Report, Failure> {
        let Self::Add(Add { uid, plan, credits, burst, priority, max_pixels, prepaid, email_verified }) = self;
        let overrides = Overrides { burst, priority, max_pixels };
        let order = AccountOrder { uid, plan, credits, overrides, prepaid, email_verified };
        let made = session.admin_or_new().await?.put_account(&order).await?;
        Report::new(words(&made, prepaid.unwrap_or(0)), &made)
    }
}

fn words(made: &AccountMade, prepaid: u32) -> String {
    let AccountMade { account, created, prepaid_granted } = made;
    let mut words = format!(
        "Account {} {}: plan {}, {} included credits, {} prepaid, e-mail {}.",
        account.uid,
        if *created { "is made" } else { "is now" },
        account.membership,
        account.credits,
        account.prepaid,
        if account.email_verified { "verified" } else { "not verified" },
    );
    let Overrides { burst, priority, max_pixels } = account.overrides;
    // Writing to a string cannot fail.
    if let Some(burst) = burst {
        let _ = write!(words, "\nIts own short-term limit: {} a minute, {} at once.", burst.per_minute, burst.size);
    }
    if let Some(priority) = priority {
        let _ = write!(words, "\nIts own priority: {priority}.");
    }
    match max_pixels {
        Some(0) => words.push_str("\nIts own limit on pictures: none."),
        Some(pixels) => _ = write!(words, "\nIts own limit on pictures: {pixels} pixels."),
        None => {}
    }
    if prepaid > 0 && !prepaid_granted {
        words.push_str(
            "\nIts first prepaid credits were granted before, so nothing was added. To add more: credits grant.",
        );
    }
    words
}
