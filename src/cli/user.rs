//! `user`

use super::{Desk, Failure, Report, input};
use crate::{
    admin::{AccountMade, AccountOrder},
    domain::caller::Uid,
};
use clap::{Args, Subcommand};

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
    /// A plan of the configuration; its included credits become the account's. A new account gets `default_plan`
    #[arg(long, value_name = "NAME")]
    plan: Option<String>,
    /// Included credits other than the plan's, until the plan is next changed
    #[arg(long, value_name = "N")]
    credits: Option<u64>,
    /// Prepaid credits to begin with: granted once per account, however often this is repeated
    #[arg(long, value_name = "N")]
    prepaid: Option<u32>,
    /// Whether the e-mail address counts as verified; without that every call is refused. New accounts made here are
    /// verified unless this says otherwise
    #[arg(long, value_name = "true|false")]
    email_verified: Option<bool>,
}

impl UserCommand {
    pub(super) async fn run(self, desk: &Desk) -> Result<Report, Failure> {
        let Self::Add(Add { uid, plan, credits, prepaid, email_verified }) = self;
        let order = AccountOrder { uid, plan, credits, prepaid, email_verified };
        let made = desk.admin()?.put_account(&order).await?;
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
    if prepaid > 0 && !prepaid_granted {
        words.push_str("\nIts first prepaid credits were granted before; nothing was added. For more: credits grant.");
    }
    words
}
