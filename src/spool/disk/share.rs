//! The part of the space that one body holds.

use super::{
    Disk, State,
    holders::{Holder, Kind},
};
use crate::domain::client_address::ClientAddress;
use std::sync::Arc;

/// Bytes of the space, for one body; given back when dropped.
#[derive(Debug)]
pub struct DiskShare {
    disk: Arc<Disk>,
    holder: Holder,
    kind: Kind,
    size: u64,
    /// Whether it may use the reserve.
    reserve: bool,
    /// Whether it is an answer that is expected or being read.
    on_the_way: bool,
}

impl DiskShare {
    pub(super) fn upload(disk: Arc<Disk>, holder: &Holder) -> Self {
        Self { disk, holder: holder.clone(), kind: Kind::Upload, size: 0, reserve: false, on_the_way: false }
    }

    /// An answer for which room for `size` was found, out of the reserve or not.
    pub(super) fn answer(disk: Arc<Disk>, state: &mut State, holder: &Holder, (size, reserve): (u64, bool)) -> Self {
        let mut share = Self { disk, holder: holder.clone(), kind: Kind::Answer, size: 0, reserve, on_the_way: true };
        state.on_the_way += 1;
        share.add(state, size);
        share
    }

    /// Bytes held by this share.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The client that it is held for.
    #[must_use]
    pub fn client(&self) -> &ClientAddress {
        &self.holder.client
    }

    pub(in crate::spool) fn disk(&self) -> &Arc<Disk> {
        &self.disk
    }

    /// Grows to `size`. An upload fails at once if there is too little room; an answer waits.
    pub async fn grow(&mut self, size: u64) -> bool {
        match self.kind {
            Kind::Upload => self.grow_upload_to(size),
            Kind::Answer => {
                self.grow_to(size).await;
                true
            }
        }
    }

    pub(super) fn grow_upload_to(&mut self, size: u64) -> bool {
        let more = size.saturating_sub(self.size);
        if more == 0 {
            return true;
        }
        let disk = Arc::clone(&self.disk);
        let (mut state, rules) = (disk.state(), disk.rules());
        let for_uploads = rules.most.saturating_sub(rules.kept_for_answers);
        let fits = state.used.saturating_add(more) <= for_uploads
            && !state.holders.upload_beyond_part(&rules, &self.holder, self.size, more);
        if fits {
            self.add(&mut state, more);
        }
        fits
    }

    /// Waits until it has grown to `size`, for ever if need be. Cancel safe.
    pub(super) async fn grow_to(&mut self, size: u64) {
        if self.grown_to(size, None) {
            return;
        }
        let disk = Arc::clone(&self.disk);
        let place = WaitingPlace::join(&disk);
        loop {
            let mut freed = std::pin::pin!(disk.freed.notified());
            freed.as_mut().enable();
            if self.grown_to(size, Some(place.ticket)) {
                return;
            }
            freed.await;
        }
    }

    /// First come, first served, except that nobody goes before the answer that has the reserve.
    fn grown_to(&mut self, size: u64, ticket: Option<u64>) -> bool {
        let more = size.saturating_sub(self.size);
        if more == 0 {
            return true;
        }
        let disk = Arc::clone(&self.disk);
        let (mut state, rules) = (disk.state(), disk.rules());
        let first = state.growing.first().is_none_or(|first| Some(*first) == ticket);
        let with_it = state.used.saturating_add(more);
        if first && with_it <= rules.ordinary() {
            self.add(&mut state, more);
            return true;
        }
        if first && !state.reserve_taken {
            (state.reserve_taken, self.reserve) = (true, true);
        }
        let fits = self.reserve && with_it <= rules.most;
        if fits {
            self.add(&mut state, more);
        }
        fits
    }

    /// Gives back the bytes beyond `size`.
    pub fn shrink_to(&mut self, size: u64) {
        let less = self.size.saturating_sub(size);
        if less > 0 {
            self.remove(&mut self.disk.clone().state(), less);
            self.disk.wake_all();
        }
    }

    /// The body is whole and has `size` bytes here.
    pub fn settle(&mut self, size: u64) {
        let less = self.size.saturating_sub(size);
        if less == 0 && !self.on_the_way && !self.reserve {
            return;
        }
        {
            let disk = Arc::clone(&self.disk);
            let mut state = disk.state();
            self.remove(&mut state, less);
            if std::mem::take(&mut self.on_the_way) {
                state.on_the_way -= 1;
            }
            if std::mem::take(&mut self.reserve) {
                state.reserve_taken = false;
            }
        }
        self.disk.wake_all();
    }

    fn add(&mut self, state: &mut State, more: u64) {
        state.used += more;
        state.holders.add(&self.holder, self.kind, more);
        self.size += more;
    }

    fn remove(&mut self, state: &mut State, less: u64) {
        state.used -= less;
        state.holders.take(&self.holder, self.kind, less);
        self.size -= less;
    }
}

impl Drop for DiskShare {
    fn drop(&mut self) {
        self.settle(0);
    }
}

/// The place of an answer that waits for more room; given up when dropped.
struct WaitingPlace<'a> {
    disk: &'a Disk,
    ticket: u64,
}

impl<'a> WaitingPlace<'a> {
    fn join(disk: &'a Disk) -> Self {
        let mut state = disk.state();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.growing.insert(ticket);
        Self { disk, ticket }
    }
}

impl Drop for WaitingPlace<'_> {
    fn drop(&mut self) {
        self.disk.state().growing.remove(&self.ticket);
        self.disk.wake_all();
    }
}
