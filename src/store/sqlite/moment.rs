//! The moment of a verb, and the terms by which accounts and windows are read then.

use crate::domain::{account::Account, period::Window, plan::Terms, time::UnixMicros};
use std::sync::Arc;

pub(super) struct WindowAt {
    pub(super) now: UnixMicros,
    pub(super) terms: Arc<Terms>,
}

impl WindowAt {
    /// A stored account as it counts now.
    pub(super) fn account(&self, stored: Account) -> Account {
        self.terms.in_force(stored, self.now.seconds())
    }

    /// The window in force for an account.
    pub(super) fn window(&self, account: &Account) -> Window {
        self.terms.window(account, self.now.seconds())
    }
}
