//! The open-source server `rembg s`: it cuts, and answers a PNG; the rest of the documented API is done here.
//!
//! It is sent the image and the name of a model, and nothing of what the caller sent beside the image: some of its
//! parameters name local files and paid services.

use super::{
    Answer, Failure, Job,
    http::{FormBody, Part, Remote, no_room},
    service::{Service, Trouble},
    workbench::Workbench,
};
use crate::{
    domain::image_header::ImageKind,
    picture::{self, PictureError},
};
use async_trait::async_trait;
use bytes::Bytes;
use hyper::HeaderMap;

/// A `rembg s` at an address.
pub(super) struct RembgServer {
    remote: Remote,
    model: String,
    workbench: Workbench,
}

impl RembgServer {
    /// `model` is always sent: the server's own default is a gigabyte that is not free for commercial use.
    pub(super) fn new(remote: Remote, model: String, workbench: Workbench) -> Self {
        Self { remote, model, workbench }
    }
}

#[async_trait]
impl Service for RembgServer {
    async fn exchange(&self, job: &Job) -> Result<Answer, Trouble> {
        let model = Part { name: "model", value: self.model.as_bytes(), ..Part::default() };
        let filename = filename(job.form.image.header.kind);
        let file = Part { name: "file", filename: Some(filename), ..Part::default() };
        let form = FormBody::new([model], file, &job.image, [])
            .map_err(|error| Trouble::last(Failure::Failed(error.to_string())))?;
        let reply = self.remote.post(job, form, HeaderMap::new()).await?;
        match reply.status {
            200 | 500 => Ok(Answer { status: reply.status, content_type: None, body: reply.body }),
            // Its own complaints are about what we send and not about the caller's form, which is valid.
            other => Err(Trouble::last(Failure::Failed(format!("the rembg server answered {other}")))),
        }
    }

    /// Its PNG becomes what the form asks for. Its 500 says that it could not, and nothing of why: if the picture cannot
    /// be read here either, that is the caller's to know.
    async fn finish(&self, job: &Job, answer: Answer) -> Result<Answer, Failure> {
        let header = job.form.image.header;
        let pixels = u64::from(header.width) * u64::from(header.height);
        if answer.status == 500 {
            drop(answer);
            let image =
                self.workbench.read(job, &job.image, move |file| picture::decode(file, pixels).map(drop)).await?;
            return Err(match image {
                Ok(()) => Failure::Failed("the rembg server answered 500 to a picture that can be read".into()),
                Err(error) => Failure::Unreadable(error.to_string()),
            });
        }
        let own_job = job.clone();
        let made = self.workbench.read(job, &answer.body, move |file| made_of(file, pixels, &own_job)).await??;
        drop(answer);
        let mut room = job.room()?;
        room.write(Bytes::from(made)).await.map_err(|error| no_room(&error))?;
        let content_type = Some(picture::content_type(job.form.wish.format).into());
        Ok(Answer { status: 200, content_type, body: room.finish() })
    }

    async fn answers(&self) -> bool {
        self.remote.answers().await
    }
}

/// What the form asks for, made of the server's PNG of at most so many pixels.
fn made_of(file: &[u8], pixels: u64, job: &Job) -> Result<Vec<u8>, Failure> {
    let unusable = |error: PictureError| Failure::Failed(format!("the rembg server's answer: {error}"));
    let cutout = picture::decode(file, pixels).map_err(unusable)?;
    job.keep_to_pixel_limit(cutout.dimensions())?;
    picture::finish(cutout, &job.form.wish).map_err(unusable)
}

/// A name of our own: the caller's says nothing that the server needs.
fn filename(kind: ImageKind) -> &'static str {
    match kind {
        ImageKind::Png => "image.png",
        ImageKind::Jpeg => "image.jpg",
        ImageKind::Webp => "image.webp",
        ImageKind::Bmp => "image.bmp",
    }
}
