//! Bodies that nobody reads.

use super::in_flight::InFlight;
use crate::rmbg::Upload;
use axum::extract::Request;
use http_body::Body as _;
use std::sync::Arc;
use tokio_util::task::TaskTracker;

/// Lets a body that nobody reads run out beside its answer, so that whoever sends it sees the answer. The request is in
/// flight until then.
pub(super) fn drain(tasks: &TaskTracker, request: Request, counted: Arc<Option<InFlight>>) {
    let (head, body) = request.into_parts();
    if body.is_end_stream() {
        return;
    }
    let upload = Upload::new(&head.headers, body);
    tasks.spawn(async move {
        let _counted = counted;
        upload.drain().await;
    });
}
