//! The backend in this process: the model u2netp on the CPU, and the picture work before and after it. A queue bounds
//! both.

mod model;

pub use model::ModelError;

use super::{
    Answer, Backend, CutRequest, Failure,
    http::{no_room, out_of_room},
    queue::Queue,
};
use crate::{
    failpoint::{self, Point},
    picture,
    telemetry::{BackendGauges, BackendMetrics, Metrics, ServiceGauges, panics},
};
use async_trait::async_trait;
use bytes::Bytes;
use model::Model;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::{
    task::{JoinError, spawn_blocking},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// Its name for logs and metrics.
const NAME: &str = "builtin";

/// When a caller is told to retry if no service is up. It is never used, because the builtin one is always up.
const NEVER_DOWN: Duration = Duration::from_secs(1);

/// A backend with a model of its own. It does not work on the threads that serve connections.
pub struct Builtin {
    model: Arc<Model>,
    queue: Queue,
    concurrency: usize,
    metrics: BackendMetrics,
}

impl Builtin {
    /// Loads and verifies the model file. At most `concurrency` pictures (at least one) are processed at once, and
    /// `waiting_per_slot` requests may wait for each slot.
    ///
    /// Blocks for a fraction of a second.
    pub fn load(
        model: &Path,
        concurrency: usize,
        waiting_per_slot: usize,
        metrics: &Metrics,
    ) -> Result<Self, ModelError> {
        let concurrency = concurrency.max(1);
        let most_waiting = concurrency.saturating_mul(waiting_per_slot);
        let queue = Queue::new(&[concurrency], most_waiting, NEVER_DOWN, metrics.queue());
        Ok(Self { model: Arc::new(Model::load(model)?), queue, concurrency, metrics: metrics.of_backend(NAME) })
    }
}

/// Whether the file is the model, complete. Blocks on the disk.
pub fn verify_model(path: &Path) -> Result<(), ModelError> {
    model::verified(path).map(drop)
}

#[async_trait]
impl Backend for Builtin {
    async fn cut(&self, request: &Arc<CutRequest>) -> Result<Answer, Failure> {
        let mut slot = self.queue.enter(request, &[]).await?;
        let set_aside = slot.take_room();
        let (begun, asking) = (Instant::now(), request.used.asking(NAME));
        // The image is read only now, so that no more files are in memory than there are slots.
        let file =
            request.image.to_vec().await.map_err(|e| Failure::Failed(format!("reading the upload back: {e}")))?;

        // When the caller no longer waits for the answer, the work ends before its next step.
        let abandoned = CancellationToken::new();
        let _abandon = abandoned.clone().drop_guard();
        let (model, own_request) = (Arc::clone(&self.model), Arc::clone(request));
        let work = spawn_blocking(move || {
            let answer = || {
                failpoint::reach(Point::InWork);
                answer(&model, &file, &own_request, &abandoned)
            };
            let answer = panics::of_request_here(&own_request.request_id, answer);
            // The slot is free when the work is done, not when the caller stops waiting for it.
            if answer.is_ok() {
                slot.worked();
            }
            answer
        });
        let picture = timeout_at(request.deadline, work).await.map_err(|_| Failure::TimedOut);
        self.metrics.tried(begun.elapsed(), picture.as_ref().ok().and_then(status_of));
        drop(asking);
        let picture = picture?.map_err(|error| Failure::Failed(panics::pass_on(error).into()))??;

        let length = picture.len() as u64;
        let room = async {
            let mut room = request.room.take(set_aside).await;
            room.expect(length).await.map(|()| room)
        };
        let room = timeout_at(request.deadline, room).await.map_err(|_| out_of_room())?;
        let mut room = room.map_err(|error| no_room(&error))?;
        request.room.learn(length);
        room.write(Bytes::from(picture)).await.map_err(|e| Failure::Failed(format!("keeping the answer: {e}")))?;
        let content_type = Some(picture::content_type(request.form.output.format).into());
        Ok(Answer { status: 200, content_type, body: room.finish() })
    }

    async fn ready(&self) -> bool {
        // A value of this type always has a verified model.
        true
    }

    fn gauges(&self) -> BackendGauges {
        let in_flight = self.queue.in_flight(0) as u64;
        let in_flight_limit = self.concurrency as u64;
        BackendGauges {
            waiting: self.queue.waiting() as u64,
            waiting_limit: self.queue.most_waiting() as u64,
            services: vec![ServiceGauges { name: NAME.into(), in_flight, in_flight_limit, up: true }],
            ..BackendGauges::default()
        }
    }
}

/// The class of an answer as a service would give it; `None` if the work failed.
fn status_of(worked: &Result<Result<Vec<u8>, Failure>, JoinError>) -> Option<u16> {
    match worked {
        Ok(Ok(_)) => Some(200),
        Ok(Err(Failure::Unreadable(_) | Failure::TooMuch(_))) => Some(400),
        Ok(Err(Failure::Failed(_) | Failure::TimedOut | Failure::Unavailable { .. })) | Err(_) => None,
    }
}

/// Does all the work on one picture.
fn answer(model: &Model, file: &[u8], request: &CutRequest, abandoned: &CancellationToken) -> Result<Vec<u8>, Failure> {
    let go_on = || if abandoned.is_cancelled() { Err(Failure::TimedOut) } else { Ok(()) };
    let header = request.form.image.header;
    let pixels = u64::from(header.width) * u64::from(header.height);

    go_on()?;
    let picture = picture::decode(file, pixels).map_err(|e| Failure::Unreadable(e.to_string()))?;
    request.keep_to_bounds(picture.dimensions())?;
    go_on()?;
    let mask = model.mask(&picture).map_err(|e| Failure::Failed(e.to_string()))?;
    go_on()?;
    let cut = picture::cut(picture, &mask);
    request.warn_if_lost(&cut);
    picture::finish(cut.cutout, &request.form.output).map_err(|e| Failure::Failed(e.to_string()))
}
