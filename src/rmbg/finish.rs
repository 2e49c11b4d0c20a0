//! Step 5: what the backend cannot do is done to its cut here, before anybody pays.

use super::{
    Rmbg, Stop,
    dialect::{Finishing, Made},
    read_check::ReadCheck,
    send,
};
use crate::{
    backend::{Answer, CutRequest},
    domain::{
        complaint::Complaint,
        composition::Composition,
        order_fault::{FileRole, OrderFault},
        refusal::{Refusal, Shortage},
    },
    picture::{self, ComposeError, Composed, RegionFault, Source, Sources},
};
use bytes::Bytes;
use tokio::time::timeout_at;

/// The request with the memory that finishing will need, which comes with its slot; or a refusal of what could not be
/// finished.
pub(super) async fn prepared(rmbg: &Rmbg, request: CutRequest, finishing: &Finishing) -> Result<CutRequest, Stop> {
    prepare(rmbg, &request, finishing).await?;
    let header = request.form.image.header;
    let background = finishing.background.as_ref().map(|(file, _)| (file.header.width, file.header.height));
    let bytes = picture::memory(&finishing.composition, (header.width, header.height), background);
    Ok(CutRequest { room: request.room.with_pixels(bytes), ..request })
}

/// Refuses, before the backend is asked, what could not be finished. A metered backend would charge us for it, and nobody
/// would pay: its pictures are read to their end for that.
async fn prepare(rmbg: &Rmbg, request: &CutRequest, finishing: &Finishing) -> Result<(), Stop> {
    let most = pixels(request);
    if let Some(region) = finishing.composition.region {
        let header = request.form.image.header;
        let by_header = picture::judge_region_by_header(&region, (header.width, header.height));
        let judged = if let Some(judged) = by_header {
            judged
        } else {
            let size = rmbg.cpu_pool.read(request, [&request.image], move |[file]| picture::upright_size(&file, most));
            let size = size.await.map_err(|failure| send::stop_for(&failure))?;
            let size = size.map_err(|error| unreadable(FileRole::Image, &error))?;
            picture::judge_region(&region, size).map(drop)
        };
        judged.map_err(|fault| Stop::from(of_region(fault)))?;
    }
    if !rmbg.rules.is_metered {
        return Ok(());
    }
    let read = ReadCheck::read(rmbg, request, (&request.image, most)).await?;
    read.map_err(|error| unreadable(FileRole::Image, &error))?;
    if let Some((file, spooled)) = &finishing.background {
        let most = u64::from(file.header.width) * u64::from(file.header.height);
        let read = ReadCheck::read(rmbg, request, (spooled, most)).await?;
        read.map_err(|error| unreadable(FileRole::Background, &error))?;
    }
    Ok(())
}

/// Makes the result of the backend's cut, within the request's deadline.
pub(super) async fn finish(
    rmbg: &Rmbg,
    request: &CutRequest,
    finishing: &Finishing,
    cut: Answer,
) -> Result<(Answer, Made), Stop> {
    let composed = match &finishing.background {
        None => {
            let (composition, most) = (finishing.composition.clone(), pixels(request));
            let work = move |[input, cut]: [Vec<u8>; 2]| compose(&composition, (&input, most), &cut, None);
            rmbg.cpu_pool.read(request, [&request.image, &cut.body], work).await
        }
        Some((file, spooled)) => {
            let (composition, most) = (finishing.composition.clone(), pixels(request));
            let most_behind = u64::from(file.header.width) * u64::from(file.header.height);
            let work = move |[input, cut, behind]: [Vec<u8>; 3]| {
                compose(&composition, (&input, most), &cut, Some((&behind, most_behind)))
            };
            rmbg.cpu_pool.read(request, [&request.image, &cut.body, spooled], work).await
        }
    };
    drop(cut);
    let composed = composed.map_err(|failure| send::stop_for(&failure))?.map_err(stop_for)?;
    if composed.foreground.is_none() && !rmbg.rules.is_metered {
        return Err(Refusal::Order(vec![OrderFault::UnknownForeground]).into());
    }
    let Composed { file, content_type, size, foreground } = composed;
    let no_room = || Stop::from(super::unavailable(Shortage::NoRoom));
    let room = request.room.take_for(file.len() as u64);
    let mut room = timeout_at(request.deadline, room).await.map_err(|_| no_room())?;
    let bytes = file.len() as u64;
    let most = request.room.longest();
    if bytes > most {
        return Err(Refusal::AnswerTooLarge { bytes, most }.into());
    }
    room.write(Bytes::from(file))
        .await
        .map_err(|error| Stop::with_cause(super::unavailable(Shortage::NoRoom), &error))?;
    let answer = Answer { status: 200, content_type: Some(content_type.into()), body: room.finish() };
    Ok((answer, Made { size, foreground }))
}

type File<'a> = (&'a [u8], u64);

fn compose(
    composition: &Composition,
    input: File<'_>,
    cut: &[u8],
    background: Option<File<'_>>,
) -> Result<Composed, ComposeError> {
    let source = |(file, most_pixels)| Source { file, most_pixels };
    picture::compose(&Sources { cut, input: source(input), background: background.map(source) }, composition)
}

fn pixels(request: &CutRequest) -> u64 {
    let header = request.form.image.header;
    u64::from(header.width) * u64::from(header.height)
}

fn of_region(fault: RegionFault) -> Refusal {
    Refusal::Order(vec![match fault {
        RegionFault::Empty => OrderFault::RegionEmpty,
        RegionFault::ExceedsBounds => OrderFault::RegionExceeds,
    }])
}

fn unreadable(role: FileRole, error: &picture::PictureError) -> Stop {
    let refusal = match role {
        FileRole::Image => Refusal::Invalid(vec![Complaint::CorruptImage]),
        FileRole::Background => Refusal::Order(vec![OrderFault::FailedToRead(role)]),
    };
    Stop::with_cause(refusal, error)
}

fn stop_for(error: ComposeError) -> Stop {
    match error {
        ComposeError::Input(error) => unreadable(FileRole::Image, &error),
        ComposeError::Background(error) => unreadable(FileRole::Background, &error),
        ComposeError::Region(fault) => of_region(fault).into(),
        other @ (ComposeError::NoBackground
        | ComposeError::Cut(_)
        | ComposeError::CutShape { .. }
        | ComposeError::Result(_)) => Stop::with_cause(Refusal::BackendFailed, &other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::LimitsConfig,
        domain::composition::{Background, Channels, Encoding, Length, Margins, Percent},
    };

    /// Every composition by which a result may become large.
    fn compositions() -> impl Iterator<Item = Composition> {
        let all = |length| Margins { top: length, right: length, bottom: length, left: length };
        let (wide, half) = (Length::Pixels(500), Length::Percent(Percent(50.0)));
        let mixed = Margins { top: wide, right: half, bottom: wide, left: half };
        let crops = [None, Some(all(wide)), Some(all(half)), Some(mixed)];
        let encodings = [Encoding::Auto, Encoding::Png, Encoding::Jpeg, Encoding::Webp, Encoding::Zip];
        crops.into_iter().flat_map(move |crop| {
            encodings.into_iter().map(move |encoding| Composition {
                region: None,
                crop,
                scale: None,
                position: None,
                background: Background::Picture,
                channels: Channels::Rgba,
                most_pixels: 50_000_000,
                most_png_pixels: 10_000_000,
                encoding,
            })
        })
    }

    #[test]
    fn what_check_asks_for_is_enough_for_any_picture() {
        let sizes = [
            (1, 1),
            (36, 36),
            (1, 10_000),
            (1_000, 1_000),
            (10_000, 100),
            (2_000, 2_000),
            (6_000, 4_000),
            (10_000, 5_000),
        ];
        for composition in compositions() {
            for (input, behind) in sizes.into_iter().flat_map(|input| sizes.map(|behind| (input, behind))) {
                let pixels = |(width, height)| u64::from(width) * u64::from(height);
                let least = LimitsConfig::least_pixel_memory(pixels(input).max(pixels(behind))).0;
                let needed = picture::memory(&composition, input, Some(behind));
                assert!(needed <= least, "{needed} > {least}: {input:?} on {behind:?} as {composition:?}");
            }
        }
        assert!(LimitsConfig::default().pixel_memory >= LimitsConfig::least_pixel_memory(50_000_000));
    }
}
