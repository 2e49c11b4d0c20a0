//! The terms by which a store reads accounts. A reload of the configuration replaces them.

use crate::domain::plan::Terms;
use arc_swap::ArcSwap;
use std::sync::Arc;

/// The terms in force. Clones share them.
#[derive(Clone, Debug)]
pub struct LiveTerms(Arc<ArcSwap<Terms>>);

impl LiveTerms {
    /// The terms now. One step uses the same from its beginning to its end.
    #[must_use]
    pub fn now(&self) -> Arc<Terms> {
        self.0.load_full()
    }

    /// Uses these terms for every step that begins from now on.
    pub fn replace(&self, terms: Terms) {
        self.0.store(Arc::new(terms));
    }
}

impl From<Terms> for LiveTerms {
    fn from(terms: Terms) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(terms)))
    }
}
