//! A request to `rembg s`: the backend, and what stands around it, can do all that it may ask for.

use super::{
    body::{self, Files},
    download::{NoDownload, download},
    field, judge_size,
};
use crate::{
    domain::{
        complaint::Complaint,
        form::{Form, ImageCheck, ImagePart, MAX_IMAGE},
        order_fault::FileRole,
        picture_url::PictureUrl,
        refusal::Refusal,
        rembg_form::{Parameters, Removal, RemovalReader},
    },
    fetch::NotFetched,
    rmbg::{
        Rmbg, Stop,
        caller::Sender,
        dialect::{Asked, Extras},
        upload::Upload,
    },
};
use tokio::time::Instant;

/// What a fetched file is called. Its signature tells its type.
const FILE_NAME: &str = "image";

pub(super) async fn read(
    rmbg: &Rmbg,
    upload: &mut Upload,
    (sender, deadline): (Sender<'_>, Instant),
    parameters: Parameters,
) -> Result<Asked, Stop> {
    let reader = (RemovalReader::new(upload.content_type.as_deref(), parameters), &rmbg.rules.rembg_models[..]);
    let (read, files) = body::read(rmbg, upload, (sender.holder, deadline), reader).await?;
    asked(rmbg, sender, read, files)
}

/// The same for a picture that the query names by its URL.
pub(super) async fn fetch(
    rmbg: &Rmbg,
    sender: Sender<'_>,
    deadline: Instant,
    (parameters, url): (Parameters, Option<String>),
) -> Result<Asked, Stop> {
    let removal = parameters.judge(&rmbg.rules.rembg_models).map_err(Refusal::Invalid)?;
    let invalid = |complaint| Refusal::Invalid(vec![complaint]);
    let url = url.and_then(|url| PictureUrl::parse(&url).ok());
    let url = url.ok_or_else(|| invalid(Complaint::MustBe("url", "an http or https address of a picture")))?;
    let mut check = ImageCheck::new(FILE_NAME.into());
    let mut files = Files::new(&rmbg.budgets, sender.holder);
    let worth_keeping = |bytes: &[u8]| check.take(bytes);
    let fetched = download(rmbg, sender, (&url, FileRole::Image), deadline, (&mut files, worth_keeping)).await;
    match fetched {
        Ok(()) => {
            let part = check.finish().map_err(Refusal::Invalid)?;
            asked(rmbg, sender, (part, removal), files)
        }
        Err(NoDownload::Off) => Err(Refusal::MethodNotAllowed.into()),
        Err(NoDownload::NotFetched(NotFetched::TooLarge)) => {
            Err(invalid(Complaint::FileTooLarge(MAX_IMAGE + 1)).into())
        }
        Err(NoDownload::NotFetched(cause @ NotFetched::Failed { .. })) => {
            Err(Stop::with_cause(invalid(Complaint::NotFetched), &cause))
        }
        Err(NoDownload::Stop(stop)) => Err(stop),
    }
}

fn asked(rmbg: &Rmbg, sender: Sender<'_>, (image, removal): (ImagePart, Removal), files: Files) -> Result<Asked, Stop> {
    let Removal { output, ignored } = removal;
    let mut fields = vec![field("format", "png")];
    if output.mask {
        fields.push(field("mask", "true"));
    }
    if let Some(colour) = output.bg_color {
        fields.push(field("bg_color", colour.to_string()));
    }
    let filename = image.header.kind.file_name().into();
    let form = Form { image: ImagePart { filename, ..image }, fields, fields_before_image: 0, output };
    judge_size(rmbg, &form, sender)?;
    let extras = Extras { ignored, ..Extras::default() };
    Ok(Asked { form, image: files.finish().0, finishing: None, extras })
}
