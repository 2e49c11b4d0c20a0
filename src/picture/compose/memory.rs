//! The memory that a composition needs, known before anything is computed or sent.

use super::{Area, layout::Layout};
use crate::domain::composition::{Background, Channels, Composition, Encoding};

/// Bytes of a pixel here: eight bits in each of four channels.
const PIXEL: u64 = 4;

/// Bytes of a pixel while its file is decoded: as the decoder gives it, in up to sixteen bits, and as it is kept.
const DECODED: u64 = 8 + PIXEL;

/// Bytes of a pixel while a PNG is encoded: as it is drawn, twice compressed, in case the first time makes it longer, and its
/// file. These three may have grown by doubling.
const IN_PNG: u64 = PIXEL + 3 * 2 * PIXEL;

/// Bytes of a pixel while another format is encoded: as it is drawn, as the format has it, and its file, which may have grown
/// by doubling.
const ENCODED: u64 = PIXEL + PIXEL + 2 * PIXEL;

/// Bytes that decoders and encoders need beside pixels.
const SLACK: u64 = 16 * 1024 * 1024;

/// Bytes of memory that [`compose`](super::compose()) needs at most beside the files that it is given, from the sizes that
/// the headers of input and background state. Which way up they are makes no difference.
#[must_use]
pub fn memory(composition: &Composition, input: (u32, u32), background: Option<(u32, u32)>) -> u64 {
    let cut = pixels(input);
    let shows_background = composition.background == Background::Picture && composition.channels == Channels::Rgba;
    let background = background.filter(|_| shows_background).map_or(0, pixels);
    let [as_it_lies, turned] =
        [input, (input.1, input.0)].map(|size| Layout::of(size, Some(Area::whole(size)), composition));
    let within = |most| pixels(as_it_lies.size(most)).max(pixels(turned.size(most)));
    let png = within(composition.most_pixels.min(composition.most_png_pixels));
    let (result, png) = match composition.encoding {
        Encoding::Png => (png, png),
        Encoding::Auto => (within(composition.most_pixels), png),
        Encoding::Jpeg | Encoding::Webp | Encoding::Zip => (within(composition.most_pixels), 0),
    };

    let opacity = if composition.encoding == Encoding::Zip { cut } else { 0 };
    let steps = [
        times(cut, DECODED).saturating_add(opacity),
        times(cut, PIXEL).saturating_add(times(background, DECODED)),
        times(background, PIXEL).saturating_add(resizing(cut, result)),
        times(result, PIXEL).saturating_add(resizing(background, result)),
        times(result, ENCODED),
        times(png, IN_PNG),
    ];
    steps.into_iter().max().unwrap_or(0).saturating_add(SLACK)
}

/// Bytes to resize: a picture, a copy with its colours multiplied by its opacity, one that has the new size in one direction
/// only, and the resized picture.
fn resizing(from: u64, to: u64) -> u64 {
    times(from, 2 * PIXEL).saturating_add(times(from.max(to), PIXEL)).saturating_add(times(to, PIXEL))
}

fn pixels((width, height): (u32, u32)) -> u64 {
    u64::from(width) * u64::from(height)
}

fn times(pixels: u64, bytes: u64) -> u64 {
    pixels.saturating_mul(bytes)
}
