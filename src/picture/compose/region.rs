//! The region of interest: outside of it everything is background.

use super::Area;
use crate::domain::composition::{Length, Region};

/// What is less than this part of a pixel is noise: 10 % of 30 is 3, and not 3.0000000000000004.
const PARTS: f64 = 1e6;

/// Why a picture has no such region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegionFault {
    /// Its corners lie above or beside each other.
    #[error("the region of interest is empty")]
    Empty,
    /// A corner lies outside of the picture.
    #[error("the region of interest exceeds the picture")]
    ExceedsBounds,
}

/// The region's pixels in an upright picture of `size`. A pixel of which it has any part belongs to it.
pub fn judge_region(region: &Region, (width, height): (u32, u32)) -> Result<Area, RegionFault> {
    let [across, down] = [(region.x1, region.x2, width), (region.y1, region.y2, height)]
        .map(|(one, other, side)| Span::between(place(one, side), place(other, side), side));
    if across.exceeds || down.exceeds {
        return Err(RegionFault::ExceedsBounds);
    }
    if across.is_empty || down.is_empty {
        return Err(RegionFault::Empty);
    }
    Ok(Area { left: across.start, top: down.start, width: across.length, height: down.length })
}

/// Judges by the size that a file's header states. `None` if it depends on whether EXIF turns the picture on its side: then
/// [`upright_size`](crate::picture::upright_size) tells what to judge by.
#[must_use]
pub fn judge_region_by_header(region: &Region, (width, height): (u32, u32)) -> Option<Result<(), RegionFault>> {
    let [as_it_lies, turned] = [(width, height), (height, width)].map(|size| judge_region(region, size).map(drop));
    (as_it_lies == turned).then_some(as_it_lies)
}

/// A region along one side.
struct Span {
    start: u32,
    length: u32,
    exceeds: bool,
    is_empty: bool,
}

impl Span {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a float saturates")]
    fn between(one: f64, other: f64, side: u32) -> Self {
        let (start, end) = (one.min(other), one.max(other));
        let (first, behind) = (start.floor() as u32, end.ceil() as u32);
        Self {
            start: first,
            length: behind.saturating_sub(first),
            exceeds: start < 0.0 || end > f64::from(side),
            // A number that is none is not greater either.
            is_empty: !matches!(end.partial_cmp(&start), Some(std::cmp::Ordering::Greater)),
        }
    }
}

fn place(length: Length, side: u32) -> f64 {
    match length {
        Length::Pixels(pixels) => f64::from(pixels),
        Length::Percent(percent) => (f64::from(side) * percent.0 / 100.0 * PARTS).round() / PARTS,
    }
}
