//! `key`

use super::{Failure, Report, Session, input, print, table};
use crate::{
    admin::KeyOrder,
    domain::{
        account::Uid,
        api_key::{ApiKey, KeyId},
        network::Network,
        time::UnixSeconds,
    },
    store::KeyUse,
};
use clap::{Args, Subcommand};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use std::io::{BufRead as _, BufReader, Read};

/// The most bytes that are read to find a key.
const LONGEST_LINE: u64 = 4096;

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a new key and show it; it is shown only this once
    Create(Order),
    /// Import an existing key, such as one of rembg.com; it is read from standard input
    Import(Order),
    /// List an account's keys: the id of each, and enough of it to recognise it
    List {
        /// The account's id
        #[arg(value_parser = input::uid)]
        uid: Uid,
    },
    /// Revoke a key at once and for good
    Revoke {
        /// The key's id, from `key list`
        id: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Order {
    /// The account's id
    #[arg(value_parser = input::uid)]
    uid: Uid,
    /// A name to tell this key from others
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    name: String,
    /// First day (UTC) on which it is refused, such as 2027-01-31, or first moment: 2027-01-31T12:00:00Z
    #[arg(long, value_name = "DATE", value_parser = input::moment)]
    expires: Option<UnixSeconds>,
    /// Network that it may be used from, such as 10.0.0.0/8 or one address; can be repeated; any network without this
    #[arg(long = "network", value_name = "CIDR")]
    networks: Vec<Network>,
    /// Most credits that it may spend in a month (UTC); as many as the account has without this
    #[arg(long, value_name = "N", value_parser = input::credits)]
    monthly_cap: Option<u64>,
}

impl From<Order> for KeyOrder {
    fn from(Order { uid, name, expires, networks, monthly_cap }: Order) -> Self {
        Self { uid, name, expires, networks, monthly_cap }
    }
}

impl KeyCommand {
    /// `import` reads its key from `input`.
    pub(super) async fn run(self, session: &Session, input: &mut (dyn Read + Send)) -> Result<Report, Failure> {
        let admin = session.admin().await?;
        match self {
            Self::Create(order) => {
                let (made, key) = admin.create_key(&session.keyring()?, order.into(), session.now()).await?;
                let key = key.expose_secret();
                let words =
                    format!("Key {} of account {}. It is shown only now; keep it safe:\n\n{key}", made.id.0, made.uid);
                Report::new(words, json!({"id": made.id, "key": key}))
            }
            Self::Import(order) => {
                print::prompt("Type or paste the key, then Enter:");
                let key = first_line(input)?;
                let made = admin.import_key(&session.keyring()?, order.into(), &key, session.now()).await?;
                Report::new(format!("Key {} now opens account {}: {}", made.hint, made.uid, made.id.0), &made)
            }
            Self::List { uid } => {
                let keys = admin.keys(&uid).await?;
                Report::new(list(&keys, session.now()), keys)
            }
            Self::Revoke { id } => {
                let id = KeyId(id.into());
                admin.revoke_key(&id).await?;
                Report::new(format!("Key {} is revoked.", id.0), json!({"id": id, "revoked": true}))
            }
        }
    }
}

/// An account's keys as a table.
pub(super) fn list(keys: &[KeyUse], now: UnixSeconds) -> String {
    if keys.is_empty() {
        return "The account has no keys. Make one with: rembg-gateway key create UID".into();
    }
    let row = |KeyUse { key, used_this_month, last_used }: &KeyUse| {
        [
            key.id.0.to_string(),
            key.hint.clone(),
            key.name.clone(),
            table::date(key.created),
            state(key, now),
            last_used.map_or_else(|| "never".into(), table::date),
            key.monthly_cap.map_or_else(|| used_this_month.to_string(), |cap| format!("{used_this_month} of {cap}")),
        ]
    };
    let rows: Vec<_> = keys.iter().map(row).collect();
    table::table(["ID", "KEY", "NAME", "CREATED", "STATE", "LAST USED", "USED THIS MONTH"], &rows)
}

fn state(key: &ApiKey, now: UnixSeconds) -> String {
    match (key.revoked, key.expires) {
        (Some(at), _) => format!("revoked {}", table::date(at)),
        (None, Some(end)) if end <= now => format!("expired {}", table::date(end)),
        (None, Some(end)) => format!("live until {}", table::date(end)),
        (None, None) => "live".into(),
    }
}

fn first_line(input: &mut (dyn Read + Send)) -> Result<SecretString, Failure> {
    let mut line = String::new();
    BufReader::new(input.take(LONGEST_LINE)).read_line(&mut line).map_err(|error| Failure::Input(error.to_string()))?;
    match line.trim() {
        "" => Err(Failure::Input("there is none".into())),
        key => Ok(key.into()),
    }
}
