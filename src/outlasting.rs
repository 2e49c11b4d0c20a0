//! Work that goes on as a task of its own when nobody waits for it any more.

use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tokio::runtime::Handle;

/// The rest of some work.
pub type Rest<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Work that is handed on if it is dropped before its end.
pub struct Outlasting<T, F: FnOnce(Rest<T>, &Handle)> {
    /// `None` after its end, and while it is polled: after a panic it is gone.
    rest: Option<Rest<T>>,
    hand_on: Option<F>,
}

impl<T, F: FnOnce(Rest<T>, &Handle)> Outlasting<T, F> {
    /// `hand_on` gets the rest of the work, and the runtime on which it may go on.
    pub fn new(work: impl Future<Output = T> + Send + 'static, hand_on: F) -> Self {
        Self { rest: Some(Box::pin(work)), hand_on: Some(hand_on) }
    }
}

impl<T, F: FnOnce(Rest<T>, &Handle) + Unpin> Future for Outlasting<T, F> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let Some(mut rest) = self.rest.take() else { return Poll::Pending };
        let polled = rest.as_mut().poll(context);
        if polled.is_pending() {
            self.rest = Some(rest);
        }
        polled
    }
}

impl<T, F: FnOnce(Rest<T>, &Handle)> Drop for Outlasting<T, F> {
    fn drop(&mut self) {
        // Without a runtime, the process is at its end.
        if let (Some(rest), Some(hand_on), Ok(runtime)) = (self.rest.take(), self.hand_on.take(), Handle::try_current())
        {
            hand_on(rest, &runtime);
        }
    }
}
