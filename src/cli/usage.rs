//! `usage`

use super::{Failure, Report, Session, input, key, print, table::table};
use crate::{
    admin::{AccountUsage, Unread, Usages},
    domain::{account::Uid, time::Month},
    store::KeyUse,
};
use clap::Args;
use serde::Serialize;

#[derive(Debug, Args)]
pub(super) struct UsageCommand {
    /// One account, and the credits that each of its keys has used; without it, every account
    #[arg(value_parser = input::uid)]
    uid: Option<Uid>,
}

#[derive(Serialize)]
struct OneAccount<'a> {
    #[serde(flatten)]
    usage: &'a AccountUsage,
    keys: &'a [KeyUse],
}

impl UsageCommand {
    pub(super) async fn run(self, session: &Session) -> Result<Report, Failure> {
        let (admin, now) = (session.admin().await?, session.now());
        let Usages { accounts: usages, unread } = admin.usage(self.uid.as_ref(), now).await?;
        let mut words = words(now.month(), &usages);
        for Unread { uid, says } in &unread {
            print::progress(&format!("Account {uid} cannot be read: {says}"));
        }
        match (self.uid, usages.as_slice()) {
            (Some(uid), [usage]) => {
                let keys = admin.keys(&uid).await?;
                words.push_str("\n\n");
                words.push_str(&key::list(&keys, now));
                Report::new(words, OneAccount { usage, keys: &keys })
            }
            _ => Ok(Report::new(words, usages)?.judged(unread.is_empty())),
        }
    }
}

fn words(month: Month, usages: &[AccountUsage]) -> String {
    if usages.is_empty() {
        return "There are no accounts. Make one with: rembg-gateway user add UID --plan NAME".into();
    }
    let row = |usage: &AccountUsage| {
        let account = &usage.account;
        let numbers = [account.credits, usage.app, usage.api].map(|number| number.to_string());
        let [included, app, api] = numbers;
        let uid = account.uid.to_string();
        [uid, account.membership.clone(), included, app, api, account.prepaid.to_string(), usage.remaining.to_string()]
    };
    let rows: Vec<_> = usages.iter().map(row).collect();
    let headings = ["ACCOUNT", "PLAN", "INCLUDED", "APP", "API", "PREPAID", "LEFT"];
    format!("Used in {:04}-{:02} (UTC)\n\n{}", month.year, month.month, table(headings, &rows))
}
