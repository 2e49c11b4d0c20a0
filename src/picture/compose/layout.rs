//! Where the subject is on the canvas, and how large the result becomes. Only numbers here, no pixels.

use super::Area;
use crate::{
    domain::composition::{Composition, Length, Margins, Percent},
    picture::resize::proportional,
};

/// Pixels of the widest margin.
const MOST_MARGIN: u32 = 500;

/// The widest margin in per cent of the subject's side.
const MOST_MARGIN_PERCENT: f64 = 50.0;

/// What is shown of a cut, how large and where.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Layout {
    /// What is shown of the cut.
    pub(super) part: Area,
    /// Width and height of the canvas, in pixels of the cut.
    canvas: (u32, u32),
    /// Width and height of the part on the canvas.
    shown: (f64, f64),
    /// How much of the free width lies left of the part, and of the free height above it, from 0 to 1.
    room: (f64, f64),
}

impl Layout {
    /// The layout for a cut of `size` with its subject inside `foreground`. What has no subject stays as it is.
    pub(super) fn of(size: (u32, u32), foreground: Option<Area>, composition: &Composition) -> Self {
        let as_it_is = Self {
            part: Area::whole(size),
            canvas: size,
            shown: (f64::from(size.0), f64::from(size.1)),
            room: (0.0, 0.0),
        };
        let is_moved = composition.crop.is_some() || composition.scale.is_some() || composition.position.is_some();
        let Some(part) = foreground.filter(|_| is_moved) else { return as_it_is };

        let [top, right, bottom, left] = composition.crop.map_or(
            [
                part.top,
                size.0.saturating_sub(part.left.saturating_add(part.width)),
                size.1.saturating_sub(part.top.saturating_add(part.height)),
                part.left,
            ],
            |margins| margin_pixels(margins, part),
        );
        let spanned = |side: u32, before: u32, behind: u32| side.saturating_add(before).saturating_add(behind);
        let canvas = (spanned(part.width, left, right), spanned(part.height, top, bottom));
        let (width, height) = (f64::from(part.width), f64::from(part.height));
        let factor = composition
            .scale
            .map_or(1.0, |scale| share(scale) * (f64::from(canvas.0) / width).min(f64::from(canvas.1) / height));
        let room = composition.position.map_or_else(
            || (share_of_two(left, right), share_of_two(top, bottom)),
            |position| (share(position.x), share(position.y)),
        );
        Self { part, canvas, shown: (width * factor, height * factor), room }
    }

    /// Width and height of the result: the canvas, or the largest of its proportions that has not more than `most` pixels.
    pub(super) fn size(&self, most: u64) -> (u32, u32) {
        shrunk(self.canvas, most)
    }

    /// Where the part is in a result of `size`.
    pub(super) fn place(&self, size: (u32, u32)) -> Area {
        let (left, width) = placed(size.0, self.shown.0 / f64::from(self.canvas.0), self.room.0);
        let (top, height) = placed(size.1, self.shown.1 / f64::from(self.canvas.1), self.room.1);
        Area { left, top, width, height }
    }

    /// Whether the part is all that there is to see of a result of `size`.
    pub(super) fn fills(&self, size: (u32, u32)) -> bool {
        self.place(size) == Area::whole(size)
    }
}

/// The margins in the order of the type's fields.
fn margin_pixels(margins: Margins, part: Area) -> [u32; 4] {
    let pixels = |length: Length, side: u32| match length {
        Length::Pixels(pixels) => pixels.min(MOST_MARGIN),
        Length::Percent(Percent(percent)) => nearest(f64::from(side) * percent.clamp(0.0, MOST_MARGIN_PERCENT) / 100.0),
    };
    [
        pixels(margins.top, part.height),
        pixels(margins.right, part.width),
        pixels(margins.bottom, part.height),
        pixels(margins.left, part.width),
    ]
}

fn share(percent: Percent) -> f64 {
    percent.0.clamp(0.0, 100.0) / 100.0
}

/// The first of two lengths as a share of both. Where both are nothing, so is every share of them.
fn share_of_two(one: u32, other: u32) -> f64 {
    if one == 0 { 0.0 } else { f64::from(one) / (f64::from(one) + f64::from(other)) }
}

/// Start and length of what takes this share of a side, and leaves that share of the room before it.
fn placed(side: u32, share: f64, room: f64) -> (u32, u32) {
    let length = nearest(f64::from(side) * share).clamp(1, side);
    let free = side - length;
    (nearest(f64::from(free) * room).min(free), length)
}

/// The largest size of the same proportions, within a pixel, that has not more than `most` pixels; at least one.
fn shrunk((width, height): (u32, u32), most: u64) -> (u32, u32) {
    let most = most.max(1);
    if u64::from(width) * u64::from(height) <= most {
        return (width, height);
    }
    let (long, short) = (width.max(height), width.min(height).max(1));
    let most_long = (u128::from(most) * u128::from(long) / u128::from(short)).isqrt().min(u128::from(most)).max(1);
    let new_long = u32::try_from(most_long).unwrap_or(long).min(long);
    let most_short = u32::try_from(most / u64::from(new_long)).unwrap_or(u32::MAX);
    let new_short = proportional(short, new_long, long).min(most_short);
    if width >= height { (new_long, new_short) } else { (new_short, new_long) }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a float saturates")]
fn nearest(length: f64) -> u32 {
    length.round() as u32
}
