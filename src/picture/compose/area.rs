//! Rectangles of whole pixels.

use image::RgbaImage;

/// A rectangle of a picture, in pixels. It is not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// From the picture's left edge.
    pub left: u32,
    /// From the picture's top edge.
    pub top: u32,
    /// At least 1.
    pub width: u32,
    /// At least 1.
    pub height: u32,
}

impl Area {
    /// The whole of a picture.
    pub(super) fn whole((width, height): (u32, u32)) -> Self {
        Self { left: 0, top: 0, width, height }
    }

    pub(super) fn size(self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Whether a pixel lies inside.
    pub(super) fn contains(self, x: u32, y: u32) -> bool {
        let inside = |at: u32, start: u32, length: u32| at.checked_sub(start).is_some_and(|offset| offset < length);
        inside(x, self.left, self.width) && inside(y, self.top, self.height)
    }
}

/// The box around all pixels that are not wholly transparent.
pub(super) fn foreground(picture: &RgbaImage) -> Option<Area> {
    let is_seen = |pixel: &[u8]| pixel.get(3).is_some_and(|opacity| *opacity != 0);
    let (mut left, mut right) = (u32::MAX, 0);
    let (mut top, mut bottom) = (None, 0);
    for (y, row) in (0_u32..).zip(picture.chunks_exact(4 * picture.width() as usize)) {
        let Some(first) = (0_u32..).zip(row.chunks_exact(4)).find_map(|(x, pixel)| is_seen(pixel).then_some(x)) else {
            continue;
        };
        let behind = (0_u32..).zip(row.rchunks_exact(4)).find_map(|(x, pixel)| is_seen(pixel).then_some(x));
        left = left.min(first);
        right = right.max(picture.width() - behind.unwrap_or(0));
        top = top.or(Some(y));
        bottom = y + 1;
    }
    let top = top?;
    Some(Area { left, top, width: right - left, height: bottom - top })
}

/// Whether nothing in an area lets anything through.
pub(super) fn is_opaque(picture: &RgbaImage, area: Area) -> bool {
    let [left, width] = [area.left, area.width].map(|length| 4 * length as usize);
    let rows = picture.chunks_exact(4 * picture.width() as usize);
    let mut rows = rows.skip(area.top as usize).take(area.height as usize);
    rows.all(|row| row.iter().skip(left).take(width).skip(3).step_by(4).all(|opacity| *opacity == u8::MAX))
}
