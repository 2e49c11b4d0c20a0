//! The threads for the picture work that services do not do. They are not the threads that serve connections, and as
//! many pictures are processed at once as there are cores.

use super::{CutRequest, Failure};
use crate::{
    failpoint::{self, Point},
    spool::Spooled,
    telemetry::panics,
};
use std::{num::NonZero, sync::Arc, thread};
use tokio::{
    sync::Semaphore,
    task::spawn_blocking,
    time::{Instant, timeout_at},
};

/// The pool's places for picture work; clones share them.
#[derive(Clone, Debug)]
pub struct CpuPool(Arc<Semaphore>);

impl CpuPool {
    /// A pool with one place for each core.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(thread::available_parallelism().map_or(1, NonZero::get))))
    }

    /// Reads the bodies and runs `work` on them, until the request's deadline.
    pub async fn read<const N: usize, T: Send + 'static>(
        &self,
        request: &CutRequest,
        bodies: [&Spooled; N],
        work: impl FnOnce([Vec<u8>; N]) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let work = async {
            let place = Arc::clone(&self.0).acquire_owned().await.map_err(|_| Failure::TimedOut)?;
            // The bodies are read only now, so that no more files are in memory than there are places.
            let mut files = [const { Vec::new() }; N];
            for (file, body) in files.iter_mut().zip(bodies) {
                let read = body.to_vec().await;
                *file = read.map_err(|error| Failure::Failed(format!("reading a body back: {error}")))?;
            }
            let (deadline, request_id) = (request.deadline, request.request_id.clone());
            let done = spawn_blocking(move || {
                // The place is free when the work is done, not when the caller stops waiting for it.
                let _place = place;
                (Instant::now() < deadline).then(|| {
                    panics::of_request_here(&request_id, || {
                        failpoint::reach(Point::InWork);
                        work(files)
                    })
                })
            });
            done.await.map_err(|error| Failure::Failed(panics::pass_on(error).into()))?.ok_or(Failure::TimedOut)
        };
        timeout_at(request.deadline, work).await.unwrap_or(Err(Failure::TimedOut))
    }
}

impl Default for CpuPool {
    fn default() -> Self {
        Self::new()
    }
}
