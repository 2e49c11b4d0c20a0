//! The threads that serve connections. Each has a runtime of its own: what serves a connection stays on one thread, and wakes no
//! other.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};
use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Threads that serve connections. They end when this is dropped.
pub struct Workers {
    all: Vec<Worker>,
    /// Takes turns between equals.
    turn: AtomicUsize,
    _end: DropGuard,
}

struct Worker {
    runtime: Handle,
    connections: Arc<AtomicUsize>,
}

/// Keeps a connection counted until it is dropped.
pub(super) struct OnWorker(Arc<AtomicUsize>);

impl Workers {
    /// The runtime that calls this, and as many threads as make `count` workers with it.
    pub fn start(count: usize) -> io::Result<Self> {
        let end = CancellationToken::new();
        let mut all = vec![Worker::on(Handle::current())];
        while all.len() < count {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            all.push(Worker::on(runtime.handle().clone()));
            let end = end.clone();
            thread::Builder::new()
                .name(format!("worker-{}", all.len()))
                .spawn(move || runtime.block_on(end.cancelled()))?;
        }
        Ok(Self { all, turn: AtomicUsize::new(0), _end: end.drop_guard() })
    }

    /// The runtime with the fewest connections, which has one more as long as the guard is there.
    pub(super) fn least_busy(&self) -> Option<(&Handle, OnWorker)> {
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % self.all.len();
        let (before, after) = self.all.split_at(first);
        let worker = after.iter().chain(before).min_by_key(|worker| worker.connections.load(Ordering::Relaxed))?;
        worker.connections.fetch_add(1, Ordering::Relaxed);
        Some((&worker.runtime, OnWorker(Arc::clone(&worker.connections))))
    }
}

impl Worker {
    fn on(runtime: Handle) -> Self {
        Self { runtime, connections: Arc::default() }
    }
}

impl Drop for OnWorker {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[tokio::test]
    async fn connections_are_spread_evenly_and_each_is_served_by_another_thread() {
        let workers = Workers::start(3).unwrap();
        let mut open = Vec::new();
        let mut threads = HashSet::new();
        for _ in 0..9 {
            let (runtime, counted) = workers.least_busy().unwrap();
            threads.insert(runtime.spawn(async { thread::current().id() }).await.unwrap());
            open.push(counted);
        }
        assert_eq!(threads.len(), 3);
        let counts = || workers.all.iter().map(|worker| worker.connections.load(Ordering::Relaxed)).collect::<Vec<_>>();
        assert_eq!(counts(), [3, 3, 3]);
        // Who has lost connections gets the next ones.
        open.retain(|counted| !Arc::ptr_eq(&counted.0, &workers.all[1].connections));
        assert_eq!(counts(), [3, 0, 3]);
        open.extend((0..3).map(|_| workers.least_busy().unwrap().1));
        assert_eq!(counts(), [3, 3, 3]);
    }

    #[tokio::test]
    async fn one_worker_is_the_thread_that_is_there() {
        let workers = Workers::start(1).unwrap();
        let (runtime, _counted) = workers.least_busy().unwrap();
        let at = runtime.spawn(async { thread::current().id() }).await.unwrap();
        assert_eq!(at, thread::current().id());
    }
}
