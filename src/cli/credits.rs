//! `credits`

use super::{Failure, Report, Session, input};
use crate::domain::{account::Uid, credit::OperationId};
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(super) enum CreditsCommand {
    /// Add prepaid credits to an account, or take some back
    Grant(Grant),
}

#[derive(Debug, Args)]
pub(super) struct Grant {
    /// The account's id
    #[arg(value_parser = input::uid)]
    uid: Uid,
    /// How many; a negative number takes credits back, but none that are spent already
    #[arg(value_name = "N", allow_negative_numbers = true, value_parser = input::credits_or_back)]
    credits: i64,
    /// Name of this grant, such as an invoice number; repeating a grant under its name changes nothing
    #[arg(long, value_name = "OPERATION", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    id: String,
}

impl CreditsCommand {
    pub(super) async fn run(self, session: &Session) -> Result<Report, Failure> {
        let Self::Grant(Grant { uid, credits, id }) = self;
        let granted = session.admin().await?.grant(&uid, credits, &OperationId(id.as_str().into())).await?;
        let words = if credits == 0 && !granted.repeated {
            format!(
                "Nothing is granted. Account {uid} has {} prepaid credits, and the id {id} can still be used.",
                granted.prepaid
            )
        } else if granted.repeated {
            format!(
                "{id} was granted before, so nothing has changed. After it, account {uid} had {} prepaid credits.",
                granted.prepaid
            )
        } else {
            format!("Account {uid} has {} prepaid credits now.", granted.prepaid)
        };
        Report::new(words, granted)
    }
}
