//! Bodies that are not read.

use crate::rmbg::Upload;
use axum::extract::Request;
use futures_util::FutureExt as _;
use http_body::Body as _;
use tokio_util::task::TaskTracker;

/// Reads and discards the body while the answer is sent, so that the client sees the answer. The guard is dropped after
/// that.
pub(super) fn drain(tasks: &TaskTracker, request: Request, guard: impl Send + 'static) {
    let (head, body) = request.into_parts();
    if !body.is_end_stream() {
        drain_rest(tasks, Upload::new(&head.headers, body), guard);
    }
}

/// The same for what is left of an upload. Often nothing is, or all of it has arrived: that takes no task.
pub(super) fn drain_rest(tasks: &TaskTracker, upload: Upload, guard: impl Send + 'static) {
    if upload.has_ended() {
        return;
    }
    let mut rest = Box::pin(upload.drain());
    if rest.as_mut().now_or_never().is_none() {
        tasks.spawn(async move {
            let _guard = guard;
            rest.await;
        });
    }
}
