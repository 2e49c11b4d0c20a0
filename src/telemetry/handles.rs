//! Handles on series for the parts that count while they work. Each is looked up once, when its part is set up.

use super::{
    label::{BackendClass, StoreResult, StoreVerb, TokenResult},
    series::{Counters, Histograms},
};
use prometheus::{Gauge, Histogram, IntCounter};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// The series of one service of the backend.
#[derive(Clone, Debug)]
pub struct BackendMetrics {
    pub(super) durations: Histogram,
    /// In the order of [`BackendClass::ALL`].
    pub(super) responses: Arc<[IntCounter]>,
    pub(super) retries: IntCounter,
    pub(super) ejections: IntCounter,
}

impl BackendMetrics {
    /// One try took so long; `status` is that of its whole answer.
    pub fn tried(&self, took: Duration, status: Option<u16>) {
        self.durations.observe(took.as_secs_f64());
        if let Some(counter) = self.responses.get(BackendClass::of(status) as usize) {
            counter.inc();
        }
    }

    /// The request goes to another service.
    pub fn retried(&self) {
        self.retries.inc();
    }

    /// The service gets no pictures any more.
    pub fn ejected(&self) {
        self.ejections.inc();
    }
}

/// Observes how long requests are in the queue.
#[derive(Clone, Debug)]
pub struct QueueMetrics(pub(super) Histogram);

/// A request in the queue, until this is dropped.
pub struct QueueTimer<'a> {
    waits: &'a Histogram,
    since: Instant,
}

impl QueueMetrics {
    /// A request passes the queue without waiting.
    pub fn passed(&self) {
        self.0.observe(0.0);
    }

    /// A request enters the queue.
    #[must_use]
    pub fn enter(&self) -> QueueTimer<'_> {
        QueueTimer { waits: &self.0, since: Instant::now() }
    }
}

impl Drop for QueueTimer<'_> {
    fn drop(&mut self) {
        self.waits.observe(self.since.elapsed().as_secs_f64());
    }
}

/// The series of the store.
#[derive(Clone)]
pub struct StoreMetrics(pub(super) Arc<StoreSeries>);

pub(super) struct StoreSeries {
    pub(super) operations: Counters<(StoreVerb, StoreResult)>,
    pub(super) durations: Histograms<(StoreVerb,)>,
    pub(super) batches: Histogram,
}

impl StoreMetrics {
    /// An operation took so long.
    pub fn operation(&self, verb: StoreVerb, result: StoreResult, took: Duration) {
        self.0.operations.at((verb, result)).inc();
        self.0.durations.at((verb,)).observe(took.as_secs_f64());
    }

    /// What observes the operations in one call or commit.
    #[must_use]
    pub fn batches(&self) -> BatchSizes {
        BatchSizes(self.0.batches.clone())
    }
}

/// Observes how many operations go to the store at once.
#[derive(Clone, Debug)]
pub struct BatchSizes(Histogram);

impl BatchSizes {
    /// So many operations went in one call or commit.
    pub fn observe(&self, operations: usize) {
        #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
        self.0.observe(operations as f64);
    }
}

/// The series of user tokens.
#[derive(Clone)]
pub struct TokenMetrics(pub(super) Arc<Counters<(TokenResult,)>>);

impl TokenMetrics {
    /// A token was checked.
    pub fn checked(&self, result: TokenResult) {
        self.0.at((result,)).inc();
    }
}

/// The series of a listener's connections.
#[derive(Clone)]
pub struct ConnectionMetrics {
    pub(super) open: Gauge,
    pub(super) rejected: IntCounter,
    /// Bytes of requests' bodies.
    pub received: ByteCounter,
    /// Bytes of answers' bodies.
    pub sent: ByteCounter,
}

/// Counts bytes of bodies.
#[derive(Clone, Debug)]
pub struct ByteCounter(pub(super) IntCounter);

impl ByteCounter {
    /// So many bytes have passed.
    pub fn add(&self, bytes: usize) {
        self.0.inc_by(bytes as u64);
    }
}

/// A connection that is open until this is dropped.
pub struct OpenConnection(Gauge);

impl ConnectionMetrics {
    /// Series that nobody sees, for operators' connections.
    ///
    /// # Errors
    /// Never, as the names are good.
    pub fn unseen() -> prometheus::Result<Self> {
        let counter = || IntCounter::new("unseen", "Not registered.");
        Ok(Self {
            open: Gauge::new("unseen", "Not registered.")?,
            rejected: counter()?,
            received: ByteCounter(counter()?),
            sent: ByteCounter(counter()?),
        })
    }

    /// A connection is open from now on.
    #[must_use]
    pub fn opened(&self) -> OpenConnection {
        self.open.inc();
        OpenConnection(self.open.clone())
    }

    /// A connection was closed unread.
    pub fn rejected(&self) {
        self.rejected.inc();
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The series of one plan's pictures.
pub(super) struct PlanPictures {
    pub(super) plan: String,
    /// By pool, then by channel.
    pub(super) counters: [IntCounter; 4],
}
