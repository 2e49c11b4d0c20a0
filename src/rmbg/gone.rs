//! Whether the caller has left.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};

/// A note that the caller of a journey has left. Clones share it.
///
/// It wakes nobody: who notes that the caller has left must also have the journey polled, which it then does not go on.
#[derive(Clone, Debug, Default)]
pub struct Gone(Arc<AtomicBool>);

impl Gone {
    /// The caller has left.
    pub fn note(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether the caller has left.
    #[must_use]
    pub fn is_noted(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Waits until the caller has left.
    pub(super) async fn noted(&self) {
        poll_fn(|_| if self.is_noted() { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}
