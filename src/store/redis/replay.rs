//! The journal's last ten minutes, written again where a server was started anew, or another has taken over: acknowledged is not
//! durable. Every step is idempotent, and what is there already is not asked for one by one.

use super::{
    RedisStore, accounts, admission, api_keys,
    engine::Engine,
    grants,
    link::{Link, Progress, Replay, Stage},
    operation::{Ended, day_of},
    settlement,
};
use crate::{
    domain::{
        account::{Account, Uid},
        credit::{Hold, OperationId, Payer},
        time::UnixMicros,
    },
    store::{
        AccountChange, Fault, Reprocess, Result,
        journal::{Change, Journal, JournalLine},
        key_names,
    },
};
use async_trait::async_trait;
use futures_util::future::join_all;
use redis::cmd;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::task::spawn_blocking;
use tracing::{debug, info, warn};

/// Steps that are made at once.
const AT_ONCE: usize = 128;

/// Ids that one command asks for.
const ASKED_AT_ONCE: usize = 512;

/// This gateway's open holds.
#[derive(Default)]
pub(super) struct OpenHolds(Mutex<HashMap<OperationId, Hold>>);

impl OpenHolds {
    pub(super) fn add(&self, hold: &Hold) {
        self.lock().insert(hold.id.clone(), hold.clone());
    }

    pub(super) fn remove(&self, id: &OperationId) {
        self.lock().remove(id);
    }

    /// Those whose leases have not ended.
    pub(super) fn count(&self, now: UnixMicros) -> u64 {
        let mut holds = self.lock();
        holds.retain(|_, hold| hold.expires > now);
        holds.len() as u64
    }

    fn all(&self) -> Vec<Hold> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OperationId, Hold>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where everything is that is written again.
pub(super) struct Replayer {
    pub(super) engine: Weak<Engine>,
    pub(super) journal: Arc<Journal>,
    pub(super) open: Arc<OpenHolds>,
    pub(super) events: Arc<dyn Reprocess>,
}

#[async_trait]
impl Replay for Replayer {
    async fn replay(&self, link: Link, progress: &Progress<'_>) -> Result<()> {
        let Some(engine) = self.engine.upgrade() else { return Ok(()) };
        // What waits for the old connection must not be in its way, and nothing is written down twice.
        let engine = Arc::new(Engine { link, lanes: Arc::default(), journal: None, ..(*engine).clone() });
        let run = Run { engine: &engine, progress, refused: AtomicUsize::new(0) };
        let journal = Arc::clone(&self.journal);
        let (files, of_others) = blocking(move || journal.begin_replay()).await?;
        let Collected { accounts, others, void } = collected(files.clone(), of_others).await?;
        run.repeat(self, accounts).await?;
        progress.reached(Stage::Accounts).await?;
        let refused = run.repeat(self, others).await?;
        progress.reached(Stage::Changes).await?;
        // What these need may be what another gateway has written again meanwhile.
        run.repeat(self, refused).await?;
        run.restore(&self.open.all()).await?;
        let (mut keeps, mut releases) = (0, 0);
        for file in &files {
            let begun = of_file(file).await?.into_iter().filter_map(|line| match line {
                JournalLine::Begun(hold) if !void.contains(&hold.id) && self.journal.may_replay(&hold.id) => Some(hold),
                JournalLine::Begun(_) | JournalLine::Kept(_) | JournalLine::Void(..) | JournalLine::Done(..) => None,
            });
            keeps += run.keep(begun.filter(|hold| !self.journal.is_too_old(hold)).collect()).await?;
        }
        for file in &files {
            let void = of_file(file).await?.into_iter().filter_map(|line| match line {
                JournalLine::Void(id, payer) => Some((id, payer)),
                JournalLine::Begun(_) | JournalLine::Kept(_) | JournalLine::Done(..) => None,
            });
            releases += run.release(void.collect()).await?;
        }
        run.warn_of_refusals();
        self.journal.was_replayed();
        if keeps + releases > 0 {
            info!(keeps, releases, "what the server had lost was written again");
        }
        Ok(())
    }
}

impl Replayer {
    async fn repeat(&self, engine: &Arc<Engine>, change: Change) -> Result<()> {
        match change {
            Change::Account(account) => accounts::put(engine, &only_if_gone(account)).await.map(drop),
            Change::Key(hash, key) => api_keys::put(engine, &hash, &key).await,
            Change::Revoked(revocation) => api_keys::revoke_again(engine, &revocation).await,
            Change::Granted(uid, credits, id) => grants::grant(engine, &uid, credits, &id).await.map(drop),
            Change::Event(text) => self.events.process(Arc::new(RedisStore::bare(Arc::clone(engine))), &text).await,
        }
    }
}

/// The change that makes an account again, and does nothing where it is.
fn only_if_gone(account: Account) -> AccountChange {
    let Account { uid, membership, credits, overrides, email_verified, .. } = account;
    AccountChange {
        plan: (!membership.is_empty()).then_some((membership, credits)),
        credits: Some(credits),
        overrides,
        email_verified: Some(email_verified),
        only_new: true,
        ..AccountChange::of(uid)
    }
}

/// What is needed of all files at once.
#[derive(Default)]
struct Collected {
    /// Accounts, each as its last change has left it.
    accounts: Vec<Change>,
    /// Everything else that operators and Stripe have done, in its order.
    others: Vec<Change>,
    /// The ids under which nothing is charged.
    void: HashSet<OperationId>,
}

/// The files of other gateways tell only what is void: they may have adopted a part of what a dead one has left.
async fn collected(files: Vec<PathBuf>, of_others: Vec<PathBuf>) -> Result<Collected> {
    blocking(move || {
        let (mut changes, mut collected) = (Vec::new(), Collected::default());
        for file in &files {
            for line in Journal::lines(file)? {
                match line {
                    JournalLine::Done(at, change) => changes.push((at, change)),
                    JournalLine::Void(id, _) => drop(collected.void.insert(id)),
                    JournalLine::Begun(_) | JournalLine::Kept(_) => {}
                }
            }
        }
        for file in &of_others {
            collected.void.extend(Journal::lines(file)?.into_iter().filter_map(|line| match line {
                JournalLine::Void(id, _) => Some(id),
                JournalLine::Begun(_) | JournalLine::Kept(_) | JournalLine::Done(..) => None,
            }));
        }
        changes.sort_by_key(|(at, _)| *at);
        let mut accounts = BTreeMap::<Uid, Change>::new();
        for (_, change) in changes {
            match &change {
                Change::Account(account) => drop(accounts.insert(account.uid.clone(), change)),
                Change::Key(..) | Change::Revoked(_) | Change::Granted(..) | Change::Event(_) => {
                    collected.others.push(change);
                }
            }
        }
        collected.accounts = accounts.into_values().collect();
        Ok(collected)
    })
    .await
}

async fn of_file(path: &Path) -> Result<Vec<JournalLine>> {
    let path = path.to_owned();
    blocking(move || Journal::lines(&path)).await
}

async fn blocking<T: Send + 'static>(read: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> Result<T> {
    let read = spawn_blocking(read).await.unwrap_or_else(|gave_up| Err(std::io::Error::other(gave_up)));
    read.map_err(|error| Fault::Unavailable(format!("the journal cannot be read: {error}")))
}

/// One replay.
struct Run<'a> {
    engine: &'a Arc<Engine>,
    progress: &'a Progress<'a>,
    refused: AtomicUsize,
}

impl Run<'_> {
    /// Does things again, one after another. Gives those that were refused.
    async fn repeat(&self, replayer: &Replayer, changes: Vec<Change>) -> Result<Vec<Change>> {
        let mut refused = Vec::new();
        for change in changes {
            let done = replayer.repeat(self.engine, change.clone()).await;
            refused.extend(done.is_err().then_some(change));
            self.made(&[done]).await?;
        }
        Ok(refused)
    }

    async fn restore(&self, open: &[Hold]) -> Result<()> {
        for some in open.chunks(AT_ONCE) {
            self.made(&join_all(some.iter().map(|hold| admission::restore(self.engine, hold))).await).await?;
        }
        Ok(())
    }

    /// Keeps those of which nothing is known. Gives how many.
    async fn keep(&self, holds: Vec<Hold>) -> Result<usize> {
        let ids = holds.iter().map(|hold| (hold.id.clone(), hold.charge.payer())).collect();
        let missing = self.missing(ids, Ended::Kept).await?;
        let lost: Vec<Hold> = holds.into_iter().filter(|hold| missing.contains(&hold.id)).collect();
        for some in lost.chunks(AT_ONCE) {
            let kept = join_all(some.iter().map(|hold| settlement::keep(self.engine, hold))).await;
            self.made(&kept.into_iter().map(|kept| kept.map(drop)).collect::<Vec<_>>()).await?;
        }
        Ok(lost.len())
    }

    async fn release(&self, ids: Vec<(OperationId, Payer)>) -> Result<usize> {
        let missing = self.missing(ids.clone(), Ended::Released).await?;
        let lost: Vec<_> = ids.into_iter().filter(|(id, _)| missing.contains(id)).collect();
        for some in lost.chunks(AT_ONCE) {
            let released = join_all(some.iter().map(|(id, payer)| settlement::release(self.engine, id, payer))).await;
            self.made(&released.into_iter().map(|released| released.map(drop)).collect::<Vec<_>>()).await?;
        }
        Ok(lost.len())
    }

    /// The ids that are not remembered as ended in this way, asked for in bulk.
    async fn missing(&self, ids: Vec<(OperationId, Payer)>, ended: Ended) -> Result<HashSet<OperationId>> {
        let mut by_name: BTreeMap<String, Vec<OperationId>> = BTreeMap::new();
        for (id, payer) in ids {
            let own = key_names::styled_payer(&payer, self.engine.style);
            by_name.entry(format!("{own}:{}:{}", ended.as_str(), day_of(&id))).or_default().push(id);
        }
        let questions: Vec<(&String, &[OperationId])> =
            by_name.iter().flat_map(|(name, ids)| ids.chunks(ASKED_AT_ONCE).map(move |some| (name, some))).collect();
        let mut missing = HashSet::new();
        for some in questions.chunks(AT_ONCE) {
            for answer in join_all(some.iter().map(|(name, ids)| self.unknown(name, ids))).await {
                missing.extend(answer?);
            }
            self.progress.made(some.len()).await;
        }
        Ok(missing)
    }

    async fn unknown(&self, name: &str, ids: &[OperationId]) -> Result<Vec<OperationId>> {
        let words: Vec<&str> = ids.iter().map(|id| id.0.as_str()).collect();
        match self.engine.link.command::<Vec<Option<String>>>(cmd("HMGET").arg(name).arg(words)).await {
            Ok(found) => {
                Ok(ids.iter().zip(found).filter(|(_, found)| found.is_none()).map(|(id, _)| id.clone()).collect())
            }
            // Something else lies under that name: each is answered for itself.
            Err(Fault::Unexpected(_)) => Ok(ids.to_vec()),
            Err(fault) => Err(fault),
        }
    }

    /// Tells the other gateways of the progress. An error where the server is unavailable: then all is to be made again. Whatever else
    /// stands in the way, such as an account deleted meanwhile or credits spent meanwhile: what is so now, stays.
    async fn made(&self, outcomes: &[Result<()>]) -> Result<()> {
        for outcome in outcomes {
            match outcome {
                Err(fault @ Fault::Unavailable(_)) => return Err(fault.clone()),
                Err(fault) => {
                    self.refused.fetch_add(usize::from(matches!(fault, Fault::Unexpected(_))), Ordering::Relaxed);
                    debug!(%fault, "something cannot be written again");
                }
                Ok(()) => {}
            }
        }
        self.progress.made(outcomes.len()).await;
        Ok(())
    }

    fn warn_of_refusals(&self) {
        let refused = self.refused.load(Ordering::Relaxed);
        if refused > 0 {
            warn!(refused, "writes that the server may have lost could not be made again; compare with: audit");
        }
    }
}
