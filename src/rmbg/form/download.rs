//! A picture that a request names by its URL. It is fetched as a part of the upload.

use super::body::Files;
use crate::{
    domain::{order_fault::FileRole, picture_url::PictureUrl, removebg::Piece},
    fetch::NotFetched,
    rmbg::{Rmbg, Stop, caller::Sender},
};
use tokio::time::Instant;

/// Why a picture could not be had.
pub(super) enum NoDownload {
    /// Pictures are not fetched here.
    Off,
    /// It is too long, or could not be fetched.
    NotFetched(NotFetched),
    /// There is no room for it.
    Stop(Stop),
}

/// Fetches a picture until the upload's `deadline`. `check` is shown every piece and says whether it is worth keeping.
pub(super) async fn download(
    rmbg: &Rmbg,
    sender: Sender<'_>,
    (url, role): (&PictureUrl, FileRole),
    deadline: Instant,
    (files, mut check): (&mut Files, impl FnMut(&[u8]) -> bool),
) -> Result<(), NoDownload> {
    let fetcher = rmbg.fetcher.as_ref().ok_or(NoDownload::Off)?;
    let payer = sender.caller.draw(&rmbg.rules).payer();
    let begun = sender.awaited.during(fetcher.fetch(&payer, url, deadline)).await;
    let mut download = begun.map_err(NoDownload::NotFetched)?;
    while let Some(bytes) = sender.awaited.during(download.next()).await.map_err(NoDownload::NotFetched)? {
        if check(&bytes) {
            files.write(Piece { role, bytes }).await.map_err(NoDownload::Stop)?;
        }
    }
    Ok(())
}
