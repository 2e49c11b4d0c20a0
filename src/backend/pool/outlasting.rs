//! Work that goes on when nobody waits for it any more.

use crate::{backend::CutRequest, telemetry::panics};
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};
use tokio::runtime::Handle;

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Work of a request that becomes a task of its own if it is dropped before its end, after the moment from which it may not be
/// given up.
pub(super) struct Outlasting<T: Send + 'static> {
    work: Option<Work<T>>,
    request: Arc<CutRequest>,
    /// Whether that moment has come.
    goes_on: Arc<AtomicBool>,
}

impl<T: Send + 'static> Outlasting<T> {
    pub(super) fn new(
        work: impl Future<Output = T> + Send + 'static,
        request: &Arc<CutRequest>,
        goes_on: Arc<AtomicBool>,
    ) -> Self {
        Self { work: Some(Box::pin(work)), request: Arc::clone(request), goes_on }
    }
}

impl<T: Send + 'static> Future for Outlasting<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        // Work that panics is not put back.
        let Some(mut work) = self.work.take() else { return Poll::Pending };
        let done = work.as_mut().poll(context);
        if done.is_pending() {
            self.work = Some(work);
        }
        done
    }
}

impl<T: Send + 'static> Drop for Outlasting<T> {
    fn drop(&mut self) {
        let work = self.work.take().filter(|_| self.goes_on.load(Ordering::Acquire));
        // Without a runtime, the process is at its end.
        if let (Some(work), Ok(runtime)) = (work, Handle::try_current()) {
            runtime.spawn(panics::of_request(self.request.request_id.clone(), work));
        }
    }
}
