//! Reads pictures to their end before a metered backend is paid for them: a file that is cut short would cost us, and no
//! caller would pay.

use super::{Rmbg, Stop, send};
use crate::{
    backend::{CutRequest, Failure},
    domain::removebg::MOST_PIXELS,
    picture::{self, PictureError},
    spool::Spooled,
};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Pixels that a permit stands for.
const PIXELS: u64 = 1_000;

/// Permits for a picture of the most pixels.
const LARGEST: usize = 50_000;

/// The memory for these pictures, as pixels: as many as one of the largest has, so at most 400 MB, whatever the number of
/// cores. The request has no slot yet, so `limits.pixel_memory` does not hold it.
#[derive(Clone)]
pub struct ReadCheck(Arc<Semaphore>);

impl Default for ReadCheck {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LARGEST)))
    }
}

impl ReadCheck {
    /// Decodes a file of at most `most` pixels and forgets it.
    pub(super) async fn read(
        rmbg: &Rmbg,
        request: &CutRequest,
        (file, most): (&Spooled, u64),
    ) -> Result<Result<(), PictureError>, Stop> {
        let pixels = Arc::clone(&rmbg.read_check.0).acquire_many_owned(permits(most));
        let pixels = tokio::time::timeout_at(request.deadline, pixels).await;
        let Ok(Ok(pixels)) = pixels else { return Err(send::stop_for(&Failure::TimedOut)) };
        let read = rmbg.cpu_pool.read(request, [file], move |[file]| {
            // They are free when the work is done, not when the caller stops waiting for it.
            let _pixels = pixels;
            picture::decode(&file, most).map(drop)
        });
        read.await.map_err(|failure| send::stop_for(&failure))
    }
}

/// What a picture of so many pixels takes; never more than there are.
fn permits(pixels: u64) -> u32 {
    u32::try_from(pixels.min(MOST_PIXELS).div_ceil(PIXELS)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_picture_takes_all_permits_and_none_takes_more() {
        for (pixels, taken) in [(1, 1), (1_000, 1), (1_001, 2), (MOST_PIXELS, 50_000), (100_000_000, 50_000)] {
            assert_eq!(permits(pixels), taken, "{pixels}");
        }
        assert_eq!(usize::try_from(permits(u64::MAX)), Ok(LARGEST));
    }
}
