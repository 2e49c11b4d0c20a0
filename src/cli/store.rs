//! `store`

use super::{Failure, Report, Session, print};
use crate::{
    config::{Config, StoreConfig},
    identity::PepperSource,
    store::{self, Fault, Migration, Problem, Transfer},
};
use clap::{Args, Subcommand};
use serde_json::json;
use std::{
    path::{Path, PathBuf, absolute},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::task::spawn_blocking;

/// The shortest time between two progress messages.
const PAUSE: Duration = Duration::from_secs(2);

const WHAT_TO_KNOW: &str = "\
Stop every gateway first, and see that their journals are empty: nobody else may write to either store meanwhile. A gateway
that still serves at one of the two is noticed, and nothing is moved.
The source stays as it is, and so do accounts that only the target has. An account that is at the target with other
contents is named and left alone. Cut off, the same command goes on where it stopped.

Keys are stored as hashes: they stay valid under the same pepper, which the answer tells where to put.

Remaining behind: today's counters of anonymous clients and all short-term limits (both begin anew), and what other
software keeps beside the documented keys. A password in an address can be kept from other users of the machine by
giving it in the environment.";

const BACKUP_NOTES: &str = "\
The copy holds everything up to one moment, and is one file. Its keys are stored as hashes: keep the pepper with it, which the
answer names. To restore, stop the gateway, remove gateway.db-wal and gateway.db-shm, put the copy in the place of gateway.db
and start again. Pictures that were served after the copy was made are then not counted. A Redis is backed up by its own means.";

#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    /// Move every account with its keys, counters and ledger to another store; exits 1 if anything differs there
    #[command(after_help = WHAT_TO_KNOW)]
    Migrate(Migrate),
    /// Copy the embedded store to a new file, while the gateway may serve
    #[command(after_help = BACKUP_NOTES)]
    Backup {
        /// The new file; its folder must exist
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(super) struct Migrate {
    /// The store to move from, as in store.url: sqlite:PATH, redis://…, redis+cluster://…
    #[arg(long, value_name = "URL", env = "REMBG_GATEWAY_MIGRATE_FROM", hide_env_values = true)]
    from: String,
    /// The store to move to
    #[arg(long, value_name = "URL", env = "REMBG_GATEWAY_MIGRATE_TO", hide_env_values = true)]
    to: String,
}

impl StoreCommand {
    pub(super) async fn run(self, session: &Session) -> Result<Report, Failure> {
        match self {
            Self::Migrate(ends) => ends.run(session).await,
            Self::Backup { file } => backup(session, file).await,
        }
    }
}

impl Migrate {
    async fn run(self, session: &Session) -> Result<Report, Failure> {
        let Self { from, to } = self;
        let (from, to) = (End::of(session, "--from", from)?, End::of(session, "--to", to)?);
        from.must_be_complete()?;
        let _source_is_quiet = store::out_of_service(&from.config).await?;
        let source = from.open(session).await?;
        let target = to.open(session).await?;
        let is_another = source.place().await? != target.place().await?;
        let _target_is_quiet = if is_another { Some(store::out_of_service(&to.config).await?) } else { None };
        let said = Mutex::new(Instant::now());
        let progress = |done, total| {
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            if said.elapsed() >= PAUSE {
                *said = Instant::now();
                print::progress(&format!("{done} of {total} accounts …"));
            }
        };
        let moved = store::migrate(&*source, &*target, &progress).await.map_err(Failure::Migration)?;
        let (shown_from, shown_to) = (from.config.store.shown(), to.config.store.shown());
        let pepper = pepper(&from, &to);
        let good = moved.problems.is_empty();
        let begins = format!("From {shown_from} to {shown_to}.\n\n{pepper}\n\n");
        let value = json!({"from": shown_from, "to": shown_to, "moved": moved, "pepper": pepper, "good": good});
        Ok(Report::new(begins + &words(&moved), value)?.judged(good))
    }
}

/// Copies the store on a thread that may block.
async fn backup(session: &Session, file: PathBuf) -> Result<Report, Failure> {
    session.must_exist()?;
    let (config, copy) = (session.config.clone(), file.clone());
    let copied = spawn_blocking(move || store::backup(&config, &copy)).await;
    let bytes = copied.map_err(|error| Failure::Runtime(error.to_string()))??;
    let shown = full(&file);
    let pepper = match PepperSource::of(&session.config) {
        Some(PepperSource::BesideStore(path)) => format!("the pepper in {}", full(&path)),
        Some(PepperSource::Configured) | None => "the pepper of the configuration".into(),
    };
    let words = format!("Copied {} to {shown}, {bytes} bytes. Its keys need {pepper}.", session.config.store.shown());
    Report::new(words, json!({"file": shown, "bytes": bytes}))
}

/// The absolute path, for people in another folder.
fn full(path: &Path) -> String {
    absolute(path).unwrap_or_else(|_| path.into()).display().to_string()
}

/// One of the two stores.
struct End {
    config: Config,
}

impl End {
    /// Reports a fault of an address without showing it, because nobody can tell where in it the password is.
    fn of(session: &Session, option: &str, url: String) -> Result<Self, Failure> {
        let mut store = StoreConfig { url, ..session.config.store.clone() };
        if let Ok(here) = absolute(".") {
            store.make_absolute(&here);
        }
        let fault = match (store.redis_url(), store.sqlite_path()) {
            (Some(Ok(_)), _) | (None, Some(_)) => None,
            (Some(Err(fault)), _) => Some(fault),
            (None, None) => Some("must look like sqlite:data/gateway.db or redis://127.0.0.1:6379".into()),
        };
        match fault {
            None => Ok(Self { config: Config { store, ..session.config.clone() } }),
            Some(fault) => Err(Failure::Address(format!("{option} {fault}"))),
        }
    }

    /// Rejects a source file that does not exist, because opening would make it, and a source whose journal still has
    /// keeps, because they would be lost.
    fn must_be_complete(&self) -> Result<(), Failure> {
        let store = &self.config.store;
        if let Some(path) = store.sqlite_path() {
            return if path.exists() { Ok(()) } else { Err(Failure::NoStore(path.into())) };
        }
        match store::keeps_left(&store.journal)? {
            0 => Ok(()),
            keeps => Err(Fault::Unusable(format!(
                "the journal in {} has keeps ({keeps}) that {} has not counted yet; serve from it once more, until the \
                 journal is empty, and stop the gateway again",
                store.journal.display(),
                store.shown()
            ))
            .into()),
        }
    }

    async fn open(&self, session: &Session) -> Result<Arc<dyn Transfer>, Failure> {
        Ok(store::open_to_move(&self.config, session.clock.clone()).await?)
    }
}

/// How the keys stay valid. Their hashes have moved; the pepper that they were made with has not.
fn pepper(from: &End, to: &End) -> String {
    match (PepperSource::of(&from.config), PepperSource::of(&to.config)) {
        (Some(PepperSource::BesideStore(source)), Some(PepperSource::BesideStore(target))) if source == target => {
            format!("Every key stays valid with the pepper in {}, which both stores share.", full(&source))
        }
        (Some(PepperSource::BesideStore(source)), Some(PepperSource::BesideStore(target))) => format!(
            "Move the pepper too, or no key will be accepted: copy {} to {} before the gateway starts.",
            full(&source),
            full(&target)
        ),
        (Some(PepperSource::BesideStore(source)), _) => format!(
            "Move the pepper too, or no key will be accepted: set auth.api_key.pepper_file = \"{}\" (or to a copy of \
             it) before the gateway starts.",
            full(&source)
        ),
        (None, Some(PepperSource::BesideStore(target))) => format!(
            "Move the pepper too, or no key will be accepted: write the source's auth.api_key.pepper to {}.",
            full(&target)
        ),
        _ => "Every key stays valid while auth.api_key.pepper, or its file, stays the same as at the source.".into(),
    }
}

fn words(moved: &Migration) -> String {
    let Migration { accounts, keys, ledger_entries, parked_events, problems } = moved;
    let line = |Problem { account, says }: &Problem| match account {
        Some(uid) if !says.contains(&format!("account {uid} ")) => format!("  account {uid}: {says}\n"),
        _ => format!("  {says}\n"),
    };
    let parked = match parked_events {
        0 => String::new(),
        1 => "1 parked event of Stripe's was moved.\n".into(),
        many => format!("{many} parked events of Stripe's were moved.\n"),
    };
    let verdict = match problems.len() {
        0 => "everything agrees".into(),
        1 => "1 thing does not agree, see above".into(),
        many => format!("{many} things do not agree, see above"),
    };
    let problems: String = problems.iter().map(line).collect();
    let problems =
        if problems.is_empty() { problems } else { format!("These differ, or could not be moved:\n{problems}\n") };
    format!(
        "{problems}{parked}{accounts} accounts, {keys} keys, {ledger_entries} ledger entries moved; audit: {verdict}"
    )
}
