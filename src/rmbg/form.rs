//! Step 3: the whole body is read and judged, before the backend gets any of it.

mod body;
mod download;
mod rembg;
mod removebg;

use super::{
    Dialect, Rmbg, Stop,
    caller::Sender,
    dialect::{Asked, Extras},
    send::too_large,
    upload::Upload,
};
use crate::{
    domain::{
        form::{Field, Form, FormReader, MAX_BODY},
        refusal::Refusal,
    },
    picture::Bounds,
};
use bytes::Bytes;
use tokio::time::Instant;

/// Reads what is asked for and the pictures' bytes. An error lists all complaints at once.
pub(super) async fn read(rmbg: &Rmbg, upload: &mut Upload, sender: Sender<'_>) -> Result<Asked, Stop> {
    if upload.announced.is_some_and(|length| length > MAX_BODY) {
        return Err(Refusal::BodyTooLarge.into());
    }
    let deadline = Instant::now() + rmbg.rules.upload_timeout;
    match upload.dialect.clone() {
        Dialect::Rmbg => own(rmbg, upload, sender, deadline).await,
        Dialect::RemoveBg => Box::pin(removebg::read(rmbg, upload, sender, deadline)).await,
        Dialect::Rembg(parameters) => Box::pin(rembg::read(rmbg, upload, (sender, deadline), parameters)).await,
        Dialect::RembgUrl(parameters, url) => Box::pin(rembg::fetch(rmbg, sender, deadline, (parameters, url))).await,
    }
}

async fn own(rmbg: &Rmbg, upload: &mut Upload, sender: Sender<'_>, deadline: Instant) -> Result<Asked, Stop> {
    let reader = FormReader::new(upload.content_type.as_deref());
    let (form, files) = body::read(rmbg, upload, (sender.holder, deadline), reader).await?;
    let (image, _) = files.finish();
    judge_size(rmbg, &form, sender)?;
    Ok(Asked { form, image, finishing: None, extras: Extras::default() })
}

/// Refuses a form whose picture or answer would be too large. A small file may unpack to gigabytes, and so may the requested
/// answer.
fn judge_size(rmbg: &Rmbg, form: &Form, sender: Sender<'_>) -> Result<(), Stop> {
    let bounds = Bounds { pixels: sender.caller.pixel_limit(&rmbg.rules), bytes: rmbg.rules.longest_made };
    let sent = (form.image.header.width, form.image.header.height);
    Ok(bounds.judge_header(sent, &form.output).map_err(too_large)?)
}

/// A field that a backend is sent.
fn field(name: &str, value: impl Into<Bytes>) -> Field {
    Field { name: name.to_owned(), content_type: None, value: value.into() }
}
