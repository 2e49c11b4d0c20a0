//! An order of remove.bg's API: the backend is asked for the cut as a PNG in full size, and the rest is done here.

use super::{
    body::{self, Files},
    download::{NoDownload, download},
    field,
};
use crate::{
    domain::{
        form::{Form, ImagePart, Output, OutputFormat},
        order_fault::{FileRole, OrderFault},
        refusal::Refusal,
        removebg::{FileCheck, MOST_PIXELS, Order, OrderReader, PictureFile, Source},
    },
    fetch::NotFetched,
    rmbg::{
        Rmbg, Stop,
        caller::Sender,
        dialect::{Asked, Extras, Finishing},
        upload::Upload,
    },
};
use tokio::time::Instant;

/// Why pictures are not fetched.
const OFF: &str = "Pictures are not fetched from addresses here. Please send the file.";

pub(super) async fn read(
    rmbg: &Rmbg,
    upload: &mut Upload,
    sender: Sender<'_>,
    deadline: Instant,
) -> Result<Asked, Stop> {
    let reader = OrderReader::new(upload.content_type.as_deref());
    let (order, mut files) = body::read(rmbg, upload, (sender.holder, deadline), reader).await?;
    let Order { source, background, composition, names_type, ignored } = order;
    let mut had = async |source: &Source, role| match source {
        Source::File(file) => Ok(*file),
        Source::Url(_) => fetch(rmbg, sender, (source, role), deadline, &mut files).await,
    };
    let image = had(&source, FileRole::Image).await?;
    let background = match background {
        Some(source) => Some(had(&source, FileRole::Background).await?),
        None => None,
    };
    let most = sender.caller.pixel_limit(&rmbg.rules).map_or(MOST_PIXELS, |most| most.min(MOST_PIXELS));
    for file in [Some(image), background].into_iter().flatten() {
        let pixels = u64::from(file.header.width) * u64::from(file.header.height);
        if pixels > most {
            return Err(Refusal::TooManyPixels { pixels, most }.into());
        }
    }
    let (spooled, behind) = files.finish();
    let finishing = Finishing { composition, background: background.map(|file| (file, behind)) };
    let extras = Extras { ignored, names_type, made: None };
    Ok(Asked { form: form(image), image: spooled, finishing: Some(finishing), extras })
}

/// What a backend is asked for.
fn form(image: PictureFile) -> Form {
    Form {
        image: ImagePart { filename: image.header.kind.file_name().into(), header: image.header, size: image.size },
        fields: vec![field("format", "png")],
        fields_before_image: 0,
        output: Output { format: OutputFormat::Png, ..Output::default() },
    }
}

async fn fetch(
    rmbg: &Rmbg,
    sender: Sender<'_>,
    (source, role): (&Source, FileRole),
    deadline: Instant,
    files: &mut Files,
) -> Result<PictureFile, Stop> {
    let refused = |fault| Refusal::Order(vec![fault]);
    let Source::Url(url) = source else { return Err(refused(OrderFault::FailedDownload(role)).into()) };
    let mut check = FileCheck::new(role);
    let fetched = download(rmbg, sender, (url, role), deadline, (files, |bytes: &[u8]| check.take(bytes))).await;
    match fetched {
        Ok(()) => Ok(check.finish().map_err(refused)?),
        Err(NoDownload::Off) => Err(refused(OrderFault::Unsupported(role.url_parameter(), OFF)).into()),
        Err(NoDownload::NotFetched(NotFetched::TooLarge)) => Err(refused(OrderFault::FileTooLarge(role)).into()),
        Err(NoDownload::NotFetched(cause @ NotFetched::Failed { .. })) => {
            Err(Stop::with_cause(refused(OrderFault::FailedDownload(role)), &cause))
        }
        Err(NoDownload::Stop(stop)) => Err(stop),
    }
}
