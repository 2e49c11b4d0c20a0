//! The open-source server `rembg s`. It returns only the mask; all other work is done here, as for the builtin model.
//!
//! Its own cut would mix the picture's colours with black wherever the mask is soft, and would ignore colour profiles.
//! The server gets the image and the name of a model, and none of the caller's other fields: some of its parameters
//! name local files and paid services. If it would decode the image differently than we do, it gets the image as we
//! decode it.

use super::{
    Answer, CutRequest, Failure,
    cpu_pool::CpuPool,
    exchange::{AttemptError, Exchange},
    http::{FormBody, Part, Remote, no_room, out_of_room},
};
use crate::{domain::image_header::ImageKind, picture, spool::Spooled};
use bytes::Bytes;
use std::sync::Arc;
use tokio::time::timeout_at;

/// A `rembg s` at an address.
pub(super) struct RembgServer {
    remote: Remote,
    model: String,
    cpu_pool: CpuPool,
}

impl RembgServer {
    /// `model` is always sent: the server's default model has a gigabyte and is not free for commercial use.
    pub(super) fn new(remote: Remote, model: String, cpu_pool: CpuPool) -> Self {
        Self { remote, model, cpu_pool }
    }

    /// The image as it was sent, or as we decode it if the server would decode it differently.
    async fn readable(&self, request: &CutRequest) -> Result<(Arc<Spooled>, ImageKind), Failure> {
        let as_sent = (Arc::clone(&request.image), request.form.image.header.kind);
        if !matches!(as_sent.1, ImageKind::Png | ImageKind::Webp) {
            return Ok(as_sent);
        }
        let most = pixels(request);
        let plain = self.cpu_pool.read(request, [&request.image], move |[file]| picture::plain(&file, most)).await?;
        let Some(plain) = plain.map_err(|error| Failure::Unreadable(error.to_string()))? else {
            return Ok(as_sent);
        };
        let mut room = request.room.for_upload(plain.len() as u64);
        room.write(Bytes::from(plain)).await.map_err(|error| no_room(&error))?;
        Ok((Arc::new(room.finish()), ImageKind::Png))
    }
}

impl RembgServer {
    pub(super) async fn send(&self, exchange: &mut Exchange) -> Result<Answer, AttemptError> {
        let model = Part { name: "model", value: self.model.as_bytes(), ..Part::default() };
        let mask_alone = Part { name: "om", value: b"true", ..Part::default() };
        let (image, kind) = self.readable(&exchange.request).await.map_err(AttemptError::last)?;
        let file = Part { name: "file", filename: Some(kind.file_name()), ..Part::default() };
        let form = FormBody::new([model, mask_alone], file, &image, [])
            .map_err(|error| AttemptError::last(Failure::Failed(error.to_string())))?;
        let reply = self.remote.post(exchange, form, None).await?;
        match reply.status {
            200 | 500 => Ok(Answer { status: reply.status, content_type: None, body: reply.body }),
            // Its complaints are about our request and not about the caller's form, which is valid.
            other => Err(AttemptError::last(Failure::Failed(format!("the rembg server answered {other}")))),
        }
    }

    /// Makes the answer that the form asks for from the server's mask and the image. The server's 500 does not say why
    /// it failed; if the picture cannot be read here either, the caller is told so.
    pub(super) async fn finish(&self, request: &Arc<CutRequest>, answer: Answer) -> Result<Answer, Failure> {
        let pixels = pixels(request);
        if answer.status == 500 {
            drop(answer);
            let image = self
                .cpu_pool
                .read(request, [&request.image], move |[file]| picture::decode(&file, pixels).map(drop))
                .await?;
            return Err(match image {
                Ok(()) => Failure::Failed("the rembg server answered 500 to a picture that can be read".into()),
                Err(error) => Failure::Unreadable(error.to_string()),
            });
        }
        let own_request = Arc::clone(request);
        let bodies = [&*request.image, &answer.body];
        let made =
            self.cpu_pool.read(request, bodies, move |[image, mask]| made_of(image, &mask, &own_request)).await??;
        drop(answer);
        let room = request.room.take_for(made.len() as u64);
        let mut room = timeout_at(request.deadline, room).await.map_err(|_| out_of_room())?;
        room.write(Bytes::from(made)).await.map_err(|error| no_room(&error))?;
        let content_type = Some(picture::content_type(request.form.output.format).into());
        Ok(Answer { status: 200, content_type, body: room.finish() })
    }

    pub(super) async fn probe(&self) -> bool {
        self.remote.probe().await
    }
}

/// Makes the answer that the form asks for from the image and the server's mask.
fn made_of(image: Vec<u8>, mask: &[u8], request: &CutRequest) -> Result<Vec<u8>, Failure> {
    let unusable = |what: String| Failure::Failed(format!("the rembg server's answer: {what}"));
    let picture = picture::decode(&image, pixels(request)).map_err(|error| Failure::Unreadable(error.to_string()))?;
    drop(image);
    let size = picture.dimensions();
    request.keep_to_bounds(size)?;
    let mask = picture::decode_mask(mask, pixels(request)).map_err(|error| unusable(error.to_string()))?;
    if mask.dimensions() != size {
        return Err(unusable(format!("a mask of {:?} pixels for a picture of {size:?}", mask.dimensions())));
    }
    let cut = picture::cut(picture, &mask);
    drop(mask);
    request.warn_if_lost(&cut);
    picture::finish(cut.cutout, &request.form.output).map_err(|error| Failure::Failed(error.to_string()))
}

/// The most pixels that the image and its mask may have.
fn pixels(request: &CutRequest) -> u64 {
    let header = request.form.image.header;
    u64::from(header.width) * u64::from(header.height)
}
