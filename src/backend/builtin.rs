//! The backend in this process: the model u2netp on the CPU, and the picture work before and after it. A queue bounds
//! both.

mod model;

pub use model::ModelError;

use super::{
    Answer, Backend, CutRequest, Failure, KeyValues,
    http::{no_room, out_of_room},
    queue::Queue,
};
use crate::{
    failpoint::{self, Point},
    picture,
    telemetry::{BackendGauges, ServiceGauges, panics},
};
use async_trait::async_trait;
use bytes::Bytes;
use model::Model;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::{task::spawn_blocking, time::timeout_at};
use tokio_util::sync::CancellationToken;

/// When a caller is told to retry if no service is up. It is never used, because the builtin one is always up.
const NEVER_DOWN: Duration = Duration::from_secs(1);

/// A backend with a model of its own. It does not work on the threads that serve connections.
#[derive(Debug)]
pub struct Builtin {
    model: Arc<Model>,
    queue: Queue,
}

impl Builtin {
    /// Loads and verifies the model file. At most `concurrency` pictures (at least one) are processed at once, and
    /// `waiting_per_slot` requests may wait for each slot.
    ///
    /// Blocks for a fraction of a second.
    pub fn load(model: &Path, concurrency: usize, waiting_per_slot: usize) -> Result<Self, ModelError> {
        let concurrency = concurrency.max(1);
        let queue = Queue::new(&[concurrency], concurrency.saturating_mul(waiting_per_slot), NEVER_DOWN);
        Ok(Self { model: Arc::new(Model::load(model)?), queue })
    }
}

#[async_trait]
impl Backend for Builtin {
    async fn cut(&self, request: &CutRequest) -> Result<Answer, Failure> {
        let mut slot = self.queue.enter(request, &[]).await?;
        let set_aside = slot.take_room();
        // The image is read only now, so that no more files are in memory than there are slots.
        let file =
            request.image.to_vec().await.map_err(|e| Failure::Failed(format!("reading the upload back: {e}")))?;

        // When the caller no longer waits for the answer, the work ends before its next step.
        let abandoned = CancellationToken::new();
        let _abandon = abandoned.clone().drop_guard();
        let (model, own_request) = (Arc::clone(&self.model), request.clone());
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
        let picture = match timeout_at(request.deadline, work).await {
            Err(_) => return Err(Failure::TimedOut),
            Ok(Err(error)) => return Err(Failure::Failed(panics::pass_on(error).into())),
            Ok(Ok(picture)) => picture?,
        };

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
        let service = ServiceGauges { name: "builtin".into(), in_flight, up: true };
        BackendGauges { waiting: self.queue.waiting() as u64, services: vec![service], ..BackendGauges::default() }
    }

    fn use_keys(&self, _: KeyValues) {}
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
