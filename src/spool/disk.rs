//! The temporary files' space, who holds how much of it, and who may have more.
//!
//! Three rules keep it from being filled by some at the cost of all:
//!
//! - Uploads never take what is kept for answers.
//! - A client and an account hold no more than their parts. Who holds no answer yet may always have one.
//! - What one longest answer takes is a reserve. Answers are given what they will likely need before the backend is asked;
//!   one at a time that turns out longer may go on into the reserve, and the others wait meanwhile with what they have not
//!   read yet still on the wire. So an answer that was paid for is never lost because another one was guessed wrongly.

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

/// How often it is looked anew who holds the most.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What the space is shared by, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct DiskRules {
    /// All of it.
    pub most: u64,
    /// What uploads leave to answers.
    pub kept_for_answers: u64,
    /// The longest answer: as much is the reserve.
    pub max_answer: u64,
    /// What one client may hold.
    pub per_client: u64,
    /// What one account may hold.
    pub per_account: u64,
}

/// The space of all bodies' files.
pub struct Disk {
    rules: DiskRules,
    state: Mutex<State>,
    /// Something was given back, or the reserve is free.
    freed: Notify,
    /// Told of it too, once it was refused room.
    waiting: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

#[derive(Debug, Default)]
struct State {
    used: u64,
    holders: Holders,
    /// Answers that are expected or being read.
    on_the_way: usize,
    reserve_taken: bool,
    /// Answers that need more than they were given, in the order in which they found that out.
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
    /// Its client, or its account, holds its part: others may have room.
    OwnPart,
    /// There is no room for anybody before this one.
    Full,
}

impl Disk {
    /// Space that nobody holds any of.
    #[must_use]
    pub fn new(rules: DiskRules) -> Arc<Self> {
        Arc::new(Self { rules, state: Mutex::default(), freed: Notify::new(), waiting: OnceLock::new() })
    }

    /// Bytes in use, or set aside.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.state().used
    }

    /// All of it, in bytes.
    #[must_use]
    pub fn most(&self) -> u64 {
        self.rules.most
    }

    /// The longest answer, in bytes.
    #[must_use]
    pub fn max_answer(&self) -> u64 {
        self.rules.max_answer
    }

    /// Who waits for room for an answer is told by this when there may be some. Only the first one is kept.
    pub fn tell(&self, waiting: impl Fn() + Send + Sync + 'static) {
        self.waiting.get_or_init(|| Box::new(waiting));
    }

    /// What an answer will likely need, of which it is known that it has hardly more than `bound` bytes.
    #[must_use]
    pub fn likely(&self, bound: u64) -> u64 {
        self.state().recent.likely(bound).min(self.rules.max_answer)
    }

    /// A picture's answer was so long.
    pub fn learn(&self, length: u64) {
        self.state().recent.add(length);
    }

    /// Whether [`answer`](Self::answer) would be given so much now.
    pub fn has_room(&self, holder: &Holder, size: u64) -> bool {
        self.state().room_for(&self.rules, holder, size).is_ok()
    }

    /// Room for an answer before the backend is asked for it.
    pub fn answer(self: &Arc<Self>, holder: &Holder, size: u64) -> Result<DiskShare, Shortfall> {
        let mut state = self.state();
        let reserve = state.room_for(&self.rules, holder, size).inspect_err(|_| state.wanted = true)?;
        state.reserve_taken |= reserve;
        Ok(DiskShare::answer(Arc::clone(self), &mut state, holder, (size, reserve)))
    }

    /// Room for an answer that is here already, or paid for: it goes before all that are still to be asked for.
    pub async fn answer_at_hand(self: &Arc<Self>, holder: &Holder, size: u64) -> DiskShare {
        let mut share = DiskShare::answer(Arc::clone(self), &mut self.state(), holder, (0, false));
        share.grow_to(size).await;
        share
    }

    /// Room for an upload, which grows as it comes.
    #[must_use]
    pub fn upload(self: &Arc<Self>, holder: &Holder) -> DiskShare {
        DiskShare::upload(Arc::clone(self), holder)
    }

    /// Whether others need what this client holds: much of the space is taken, and nobody holds more of it.
    #[must_use]
    pub fn must_hurry(&self, client: &ClientAddress) -> bool {
        let mut state = self.state();
        if state.used <= self.rules.most / 2 {
            return false;
        }
        let now = Instant::now();
        let fresh = matches!(&state.holds_most, Some((seen, _)) if now < *seen + LOOK_AGAIN);
        if !fresh {
            state.holds_most = Some((now, state.holders.who_holds_most()));
        }
        matches!(&state.holds_most, Some((_, Some(most))) if most == client)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No step of its leaves it half done.
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
        let shortfall = state.room_for(&self.rules, holder, size).err()?;
        state.wanted = true;
        Some(shortfall)
    }

    /// Tells all who wait. Without the lock, because they come back for it.
    pub(super) fn tell_all(&self) {
        self.freed.notify_waiters();
        let wanted = std::mem::take(&mut self.state().wanted);
        if let (true, Some(waiting)) = (wanted, self.waiting.get()) {
            waiting();
        }
    }
}

impl State {
    /// Whether an answer that is still to be asked for gets so much, and whether out of the reserve: that is how one gets
    /// through, and then the next, where uploads and readers have left no more than that.
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
    /// All but the reserve.
    fn ordinary(&self) -> u64 {
        self.most.saturating_sub(self.max_answer)
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("rules", &self.rules).field("state", &self.state).finish_non_exhaustive()
    }
}
