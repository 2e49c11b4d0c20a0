//! The space for temporary files: how much of it each client and account holds, and who may take more.
//!
//! Three rules keep a few from filling it at the cost of all:
//!
//! - Uploads never take the part that is kept for answers.
//! - A client and an account hold no more than their parts. One that holds no answer yet may always have one.
//! - The length of one longest answer is a reserve. Before the backend is asked, an answer is given the room that it
//!   will likely need. One answer at a time that turns out longer may use the reserve. The others wait, and leave the
//!   bytes that are not read yet on the connection. So an answer that was paid for is never lost because another one
//!   was estimated wrongly.

mod holders;
mod recent;
mod share;
#[cfg(test)]
mod tests;

pub use holders::Holder;
pub use share::DiskShare;

use crate::domain::client_address::ClientAddress;
use holders::Holders;
use recent::Recent;
use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// How often the largest holder is determined anew.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The rules by which the space is shared, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct DiskRules {
    /// The whole space.
    pub most: u64,
    /// The part that uploads leave to answers.
    pub kept_for_answers: u64,
    /// The longest answer. The reserve has the same size.
    pub max_answer: u64,
    /// The most that one client may hold.
    pub per_client: u64,
    /// The most that one account may hold.
    pub per_account: u64,
}

/// The space of all bodies' files.
pub struct Disk {
    rules: Mutex<DiskRules>,
    state: Mutex<State>,
    /// Notified when space was given back, or the reserve is free.
    freed: Notify,
    /// Called too, if an answer was refused room before.
    waiting: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

#[derive(Debug, Default)]
struct State {
    used: u64,
    holders: Holders,
    /// Answers that are expected or being read.
    on_the_way: usize,
    reserve_taken: bool,
    /// Answers that need more than they were given, in the order in which they found out.
    growing: BTreeSet<u64>,
    next_ticket: u64,
    /// Whether an answer was refused room since something was given back.
    wanted: bool,
    recent: Recent,
    holds_most: Option<(Instant, Option<ClientAddress>)>,
}

/// Why there is no room for an answer now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortfall {
    /// Its client, or its account, holds its whole part. Others may find room.
    OwnPart,
    /// There is no room, and nobody may take any before this answer.
    Full,
}

impl Disk {
    /// An empty space with these rules.
    #[must_use]
    pub fn new(rules: DiskRules) -> Arc<Self> {
        Arc::new(Self {
            rules: Mutex::new(rules),
            state: Mutex::default(),
            freed: Notify::new(),
            waiting: OnceLock::new(),
        })
    }

    /// Bytes in use or set aside.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.state().used
    }

    /// The whole space, in bytes.
    #[must_use]
    pub fn most(&self) -> u64 {
        self.rules().most
    }

    /// The longest answer, in bytes.
    #[must_use]
    pub fn max_answer(&self) -> u64 {
        self.rules().max_answer
    }

    /// Sets the function that is called when there may be room for an answer again. Only the first one is kept.
    pub fn on_freed(&self, waiting: impl Fn() + Send + Sync + 'static) {
        self.waiting.get_or_init(|| Box::new(waiting));
    }

    /// The room that an answer will likely need, if it is known to have hardly more than `bound` bytes.
    #[must_use]
    pub fn likely(&self, bound: u64) -> u64 {
        self.state().recent.likely(bound).min(self.rules().max_answer)
    }

    /// Takes note of the length of a picture's answer.
    pub fn learn(&self, length: u64) {
        self.state().recent.add(length);
    }

    /// Whether [`answer`](Self::answer) would succeed with this size now.
    pub fn has_room(&self, holder: &Holder, size: u64) -> bool {
        self.state().room_for(&self.rules(), holder, size).is_ok()
    }

    /// Room for an answer before the backend is asked for it.
    pub fn answer(self: &Arc<Self>, holder: &Holder, size: u64) -> Result<DiskShare, Shortfall> {
        let mut state = self.state();
        let reserve = state.room_for(&self.rules(), holder, size).inspect_err(|_| state.wanted = true)?;
        state.reserve_taken |= reserve;
        Ok(DiskShare::answer(Arc::clone(self), &mut state, holder, (size, reserve)))
    }

    /// Room for an answer that is here already, or paid for. It goes before all answers that are still to be asked for.
    pub async fn answer_at_hand(self: &Arc<Self>, holder: &Holder, size: u64) -> DiskShare {
        let mut share = DiskShare::answer(Arc::clone(self), &mut self.state(), holder, (0, false));
        share.grow_to(size).await;
        share
    }

    /// Room for an upload, which grows as the upload arrives.
    #[must_use]
    pub fn upload(self: &Arc<Self>, holder: &Holder) -> DiskShare {
        DiskShare::upload(Arc::clone(self), holder)
    }

    /// Whether others need the space that this client holds: much of the space is taken, and no client holds more.
    #[must_use]
    pub fn must_hurry(&self, client: &ClientAddress) -> bool {
        let mut state = self.state();
        if state.used <= self.rules().most / 2 {
            return false;
        }
        let now = Instant::now();
        let fresh = matches!(&state.holds_most, Some((seen, _)) if now < *seen + LOOK_AGAIN);
        if !fresh {
            state.holds_most = Some((now, state.holders.who_holds_most()));
        }
        matches!(&state.holds_most, Some((_, Some(most))) if most == client)
    }

    /// Shares the space by these rules from now on. What is held stays with its holders; the whole space stays as it is.
    pub fn share_by(&self, rules: DiskRules) {
        {
            let mut own = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
            *own = DiskRules { most: own.most, ..rules };
        }
        self.wake_all();
    }

    /// The rules in force. The lock is held by nobody who takes another one.
    fn rules(&self) -> DiskRules {
        *self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No holder of the lock leaves the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that somebody waits for room who has not been refused it here.
    pub(super) fn want(&self) {
        self.state().wanted = true;
    }

    /// Why there is no room for an answer of this size now, if there is none. Who asks waits for it from now on.
    #[must_use]
    pub fn shortfall(&self, holder: &Holder, size: u64) -> Option<Shortfall> {
        let mut state = self.state();
        let shortfall = state.room_for(&self.rules(), holder, size).err()?;
        state.wanted = true;
        Some(shortfall)
    }

    /// Wakes everybody who waits. The lock must not be held, because they take it.
    pub(super) fn wake_all(&self) {
        self.freed.notify_waiters();
        let wanted = std::mem::take(&mut self.state().wanted);
        if let (true, Some(waiting)) = (wanted, self.waiting.get()) {
            waiting();
        }
    }
}

impl State {
    /// Whether an answer that is still to be asked for gets this size, and whether out of the reserve. The reserve lets
    /// one answer through, and then the next, if uploads and readers have left no other room.
    fn room_for(&self, rules: &DiskRules, holder: &Holder, size: u64) -> Result<bool, Shortfall> {
        if self.holders.beyond_part(rules, holder, size) {
            return Err(Shortfall::OwnPart);
        }
        let (with_it, reserve_free) = (self.used.saturating_add(size), !self.reserve_taken);
        if !self.growing.is_empty() {
            return Err(Shortfall::Full);
        }
        if with_it <= rules.ordinary() {
            return Ok(false);
        }
        if reserve_free && self.on_the_way == 0 && with_it <= rules.most { Ok(true) } else { Err(Shortfall::Full) }
    }
}

impl DiskRules {
    /// The space without the reserve.
    fn ordinary(&self) -> u64 {
        self.most.saturating_sub(self.max_answer)
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("rules", &self.rules).field("state", &self.state).finish_non_exhaustive()
    }
}
