//! Room for a job's answer: asked for in line, before anything is sent.

use crate::spool::{Budgets, DiskShare, Holder, Room, Shortfall};
use std::sync::{Arc, Mutex, PoisonError};

/// Where room for an answer comes from, and what has been set aside of it.
#[derive(Clone, Debug)]
pub struct AnswerRoom {
    budgets: Budgets,
    holder: Holder,
    /// More than the answer will hardly have.
    bound: u64,
    set_aside: Arc<Mutex<Option<DiskShare>>>,
}

impl AnswerRoom {
    /// Room in these budgets for an answer that will hardly be longer than `bound` bytes.
    #[must_use]
    pub fn new(budgets: Budgets, holder: Holder, bound: u64) -> Self {
        Self { budgets, holder, bound, set_aside: Arc::default() }
    }

    /// The same, with what a place in line has brought.
    pub(super) fn with(&self, share: Option<DiskShare>) -> Self {
        Self { set_aside: Arc::new(Mutex::new(share)), ..self.clone() }
    }

    /// The longest answer that is read, in bytes.
    pub(super) fn longest(&self) -> u64 {
        self.budgets.disk.max_answer()
    }

    /// Sets aside what the answer will likely need.
    pub(super) fn set_aside(&self) -> Result<DiskShare, Shortfall> {
        self.budgets.disk.answer(&self.holder, self.likely())
    }

    /// Whether [`set_aside`](Self::set_aside) would do so now.
    pub(super) fn is_there(&self) -> bool {
        self.budgets.disk.has_room(&self.holder, self.likely())
    }

    /// What tells those in line that there may be room.
    pub(super) fn tell(&self, waiting: impl Fn() + Send + Sync + 'static) {
        self.budgets.disk.tell(waiting);
    }

    /// An answer was so long.
    pub(super) fn learn(&self, length: u64) {
        self.budgets.disk.learn(length);
    }

    /// Room to read an answer into: what was set aside, or else, for a second one, as much again once there is so much.
    pub(super) async fn take(&self) -> Room {
        let share = self.set_aside.lock().unwrap_or_else(PoisonError::into_inner).take();
        match share {
            Some(share) => self.with_disk(share),
            None => self.take_for(self.likely()).await,
        }
    }

    /// Room for so many bytes that are here already, once there is so much.
    pub(super) async fn take_for(&self, size: u64) -> Room {
        self.with_disk(self.budgets.disk.answer_at_hand(&self.holder, size).await)
    }

    /// Room for what is sent in an upload's stead, as it would be for the upload: none is refused at once.
    pub(super) fn for_upload(&self, size: u64) -> Room {
        Room::growing(&self.budgets, &self.holder, size)
    }

    fn likely(&self) -> u64 {
        self.budgets.disk.likely(self.bound)
    }

    fn with_disk(&self, share: DiskShare) -> Room {
        Room::with_disk(&self.budgets, self.longest(), share)
    }
}
