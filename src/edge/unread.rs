//! Bodies that are not read.

use crate::rmbg::Upload;
use axum::extract::Request;
use http_body::Body as _;
use tokio_util::task::TaskTracker;

/// Reads and discards the body while the answer is sent, so that the client sees the answer. The guard is dropped after
/// that.
pub(super) fn drain(tasks: &TaskTracker, request: Request, guard: impl Send + 'static) {
    let (head, body) = request.into_parts();
    if body.is_end_stream() {
        return;
    }
    let upload = Upload::new(&head.headers, body);
    tasks.spawn(async move {
        let _guard = guard;
        upload.drain().await;
    });
}
