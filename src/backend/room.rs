//! Room for a request's answer. It is requested in the queue, before the request is sent.

use crate::spool::{Budgets, DiskShare, Holder, PixelClaim, Room, Shortfall};
use std::sync::Arc;

/// The budgets that room for an answer is taken from.
#[derive(Clone, Debug)]
pub struct AnswerRoom {
    budgets: Budgets,
    holder: Holder,
    /// The bytes that the answer will hardly exceed.
    bound: u64,
    /// The longest answer that is read. A reload of the configuration does not change it for a request under way.
    longest: u64,
    /// The memory for what is done to the answer here. It is held from the moment when the request gets a slot until the
    /// last clone of this is dropped.
    pixels: Option<Arc<PixelClaim>>,
}

impl AnswerRoom {
    /// Takes room from these budgets for an answer that will hardly be longer than `bound` bytes.
    #[must_use]
    pub fn new(budgets: Budgets, holder: Holder, bound: u64) -> Self {
        let longest = budgets.disk.max_answer();
        Self { budgets, holder, bound, longest, pixels: None }
    }

    /// The same, with `size` bytes of memory to finish the answer in.
    #[must_use]
    pub fn with_pixels(self, size: u64) -> Self {
        let claim = self.budgets.pixels.claim(&self.holder, size);
        Self { pixels: Some(Arc::new(claim)), ..self }
    }

    /// The longest answer that is read, in bytes.
    #[must_use]
    pub fn longest(&self) -> u64 {
        self.longest
    }

    /// Sets aside the room that the answer will likely need, and the memory to finish it in. Who only lacks memory keeps
    /// nobody waiting who needs none.
    pub(super) fn set_aside(&self) -> Result<DiskShare, Shortfall> {
        if let Some(pixels) = &self.pixels {
            // What was taken could not be given back here: that would call for the queue, which is locked.
            if let Some(shortfall) = self.budgets.disk.shortfall(&self.holder, self.likely()) {
                return Err(shortfall);
            }
            pixels.reserve().map_err(|_| Shortfall::OwnPart)?;
        }
        self.budgets.disk.answer(&self.holder, self.likely())
    }

    /// Whether [`set_aside`](Self::set_aside) would succeed now.
    pub(super) fn is_there(&self) -> bool {
        self.pixels.as_ref().is_none_or(|pixels| pixels.is_there())
            && self.budgets.disk.has_room(&self.holder, self.likely())
    }

    /// Registers a function that is called when there may be room for waiting requests.
    pub(super) fn on_change(&self, waiting: impl Fn() + Clone + Send + Sync + 'static) {
        self.budgets.disk.on_freed(waiting.clone());
        self.budgets.pixels.on_freed(waiting);
    }

    /// Notes the length of an answer, in bytes.
    pub(super) fn learn(&self, length: u64) {
        self.budgets.disk.learn(length);
    }

    /// Takes the room that was set aside for the answer. Without any, waits until there is as much room.
    pub(super) async fn take(&self, set_aside: Option<DiskShare>) -> Room {
        match set_aside {
            Some(share) => self.with_disk(share),
            None => self.take_for(self.likely()).await,
        }
    }

    /// Waits for room for `size` bytes that are already in memory.
    pub async fn take_for(&self, size: u64) -> Room {
        self.with_disk(self.budgets.disk.answer_at_hand(&self.holder, size).await)
    }

    /// Room for a body that replaces the upload. As for the upload, a lack of room is an error at once.
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
