//! Memory for the pixels of pictures that are finished here. It is reserved before anything is sent to a backend.

use super::{Disk, DiskRules, DiskShare, Holder, Shortfall};
use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The memory of all pictures. It is shared by the rules of the temporary files' space: a client and an account hold no more
/// than their parts. Who has been refused the rest of it goes before those who come later, so that many small pictures do
/// not keep a large one waiting.
pub struct PixelMemory {
    space: Arc<Disk>,
    refused: Mutex<Refused>,
}

/// Who has been refused, in the order in which that happened.
#[derive(Debug, Default)]
struct Refused {
    tickets: BTreeSet<u64>,
    next: u64,
}

/// What one picture needs of it. What it holds is given back when the claim is dropped.
pub struct PixelClaim {
    memory: Arc<PixelMemory>,
    holder: Holder,
    size: u64,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    share: Option<DiskShare>,
    ticket: Option<u64>,
}

impl PixelMemory {
    /// So many bytes, of which a client and an account may hold half.
    #[must_use]
    pub fn new(most: u64) -> Arc<Self> {
        let part = most / 2;
        let rules = DiskRules { most, kept_for_answers: 0, max_answer: 0, per_client: part, per_account: part };
        Arc::new(Self { space: Disk::new(rules), refused: Mutex::default() })
    }

    /// All of it, in bytes.
    #[must_use]
    pub fn most(&self) -> u64 {
        self.space.most()
    }

    /// Bytes that are reserved.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.space.used()
    }

    /// Registers a function that is called when there may be memory for waiting requests. Only the first one is kept.
    pub fn on_freed(&self, waiting: impl Fn() + Send + Sync + 'static) {
        self.space.on_freed(waiting);
    }

    /// A claim to `size` bytes that holds nothing yet.
    #[must_use]
    pub fn claim(self: &Arc<Self>, holder: &Holder, size: u64) -> PixelClaim {
        PixelClaim { memory: Arc::clone(self), holder: holder.clone(), size, held: Mutex::default() }
    }

    fn refused(&self) -> MutexGuard<'_, Refused> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PixelClaim {
    /// Whether [`reserve`](Self::reserve) would succeed now.
    #[must_use]
    pub fn is_there(&self) -> bool {
        let held = self.held();
        held.share.is_some() || (self.is_first(&held) && self.memory.space.has_room(&self.holder, self.size))
    }

    /// Reserves what is needed, unless it is reserved already.
    pub fn reserve(&self) -> Result<(), Shortfall> {
        let mut held = self.held();
        if held.share.is_some() {
            return Ok(());
        }
        if !self.is_first(&held) {
            self.memory.space.want();
            return Err(Shortfall::Full);
        }
        match self.memory.space.answer(&self.holder, self.size) {
            Ok(share) => {
                held.share = Some(share);
                self.forget_ticket(&mut held);
                Ok(())
            }
            Err(Shortfall::Full) => {
                held.ticket.get_or_insert_with(|| {
                    let mut refused = self.memory.refused();
                    let ticket = refused.next;
                    refused.next += 1;
                    refused.tickets.insert(ticket);
                    ticket
                });
                Err(Shortfall::Full)
            }
            Err(Shortfall::OwnPart) => Err(Shortfall::OwnPart),
        }
    }

    fn is_first(&self, held: &Held) -> bool {
        self.memory.refused().tickets.first().is_none_or(|first| held.ticket == Some(*first))
    }

    fn forget_ticket(&self, held: &mut Held) -> bool {
        held.ticket.take().is_some_and(|ticket| self.memory.refused().tickets.remove(&ticket))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PixelClaim {
    fn drop(&mut self) {
        let mut held = std::mem::take(&mut *self.held());
        let stood_before_others = self.forget_ticket(&mut held);
        drop(held);
        if stood_before_others {
            self.memory.space.wake_all();
        }
    }
}

impl fmt::Debug for PixelMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PixelMemory").field("used", &self.used()).field("most", &self.most()).finish_non_exhaustive()
    }
}

impl fmt::Debug for PixelClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PixelClaim").field("size", &self.size).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::client_address::ClientAddress;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn client(number: u8) -> Holder {
        Holder { client: ClientAddress(format!("192.0.2.{number}").into()), account: None }
    }

    #[test]
    fn a_claim_is_reserved_once_and_given_back_when_dropped() {
        let memory = PixelMemory::new(100);
        let claim = memory.claim(&client(1), 60);
        assert!(claim.is_there() && claim.reserve().is_ok() && claim.reserve().is_ok());
        assert_eq!(memory.used(), 60);
        drop(claim);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn who_holds_its_part_does_not_keep_others_waiting() {
        let memory = PixelMemory::new(100);
        let (first, second) = (memory.claim(&client(1), 40), memory.claim(&client(1), 20));
        assert_eq!((first.reserve(), second.reserve()), (Ok(()), Err(Shortfall::OwnPart)));
        assert_eq!(memory.claim(&client(2), 50).reserve(), Ok(()));
        drop(first);
        assert_eq!(second.reserve(), Ok(()));
    }

    #[test]
    fn a_large_picture_is_not_overtaken_for_ever_and_who_leaves_stands_in_nobodys_way() {
        let memory = PixelMemory::new(100);
        let told = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&told);
        memory.on_freed(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        let one = memory.claim(&client(1), 45);
        let other = memory.claim(&client(2), 45);
        assert_eq!((one.reserve(), other.reserve()), (Ok(()), Ok(())));
        let (large, small) = (memory.claim(&client(3), 90), memory.claim(&client(4), 10));
        assert_eq!(large.reserve(), Err(Shortfall::Full));
        assert!(!small.is_there());
        assert_eq!(small.reserve(), Err(Shortfall::Full), "the large one was first");
        drop(one);
        assert_eq!(told.load(Ordering::Relaxed), 1);
        assert_eq!((large.reserve(), small.reserve()), (Err(Shortfall::Full), Err(Shortfall::Full)));
        drop(large);
        assert_eq!(told.load(Ordering::Relaxed), 2, "it left");
        assert_eq!(small.reserve(), Ok(()));
    }
}
