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
    /// Make an account, or change one that is there: only what is named here changes
    Add(Add),
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// The account's id, 1 to 128 characters
    #[arg(value_parser = input::uid)]
    uid: Uid,
    /// Plan to put it on, and on whose credits; a new account gets the default plan
    #[arg(long, value_name = "NAME")]
    plan: Option<String>,
    /// Included credits other than the plan's, until a plan is next named
    #[arg(long, value_name = "N", value_parser = input::credits)]
    credits: Option<u64>,
    /// Short-term limit other than the plan's, until a plan is next named: requests a minute, and at once after a rest
    #[arg(long, value_name = "PER_MINUTE/SIZE", value_parser = input::burst)]
    burst: Option<Burst>,
    /// Backend priority other than the plan's, until a plan is next named: how many more turns than others it gets
    #[arg(long, value_name = "N")]
    priority: Option<u8>,
    /// Most pixels of a picture other than the plan's, until a plan is next named; 0 for no limit but the backend's own, which
    /// holds in any case
    #[arg(long, value_name = "N", value_parser = input::pixels)]
    max_pixels: Option<u64>,
    /// Prepaid credits to begin with; repeating this does not add them again
    #[arg(long, value_name = "N")]
    prepaid: Option<u32>,
    /// Whether the e-mail address counts as verified, or calls are refused; true on an account made here
    #[arg(long, value_name = "true|false", hide_possible_values = true)]
    email_verified: Option<bool>,
}

impl UserCommand {
    pub(super) async fn run(self, session: &Session) -> Result<Report, Failure> {
        let Self::Add(Add { uid, plan, credits, burst, priority, max_pixels, prepaid, email_verified }) = self;
        let overrides = Overrides { burst, priority, max_pixels };
        let order = AccountOrder { uid, plan, credits, overrides, prepaid, email_verified };
        let made = session.admin().await?.put_account(&order).await?;
        Report::new(words(&made, prepaid.unwrap_or(0)), &made)
    }
}

fn words(made: &AccountMade, prepaid: u32) -> String {
    let AccountMade { account, created, prepaid_granted } = made;
    let mut words = format!(
        "Account {} {}: plan {}, {} included credits, {} prepaid, e-mail {}.",
        account.uid,
        if *created { "made" } else { "was there and is now" },
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
        words.push_str("\nIts first prepaid credits were granted before; nothing was added. For more: credits grant.");
    }
    words
}
