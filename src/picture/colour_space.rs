//! The colours that a file means, and their conversion to sRGB.
//!
//! Everything else here is sRGB: the pictures that the models were trained on, the form's colours, files without a
//! profile, and every answer. An answer has no profile, because a BMP cannot name one and a pasted picture loses it.
//! Colours that sRGB lacks become the nearest that it has.
//!
//! A file counts as sRGB if it says nothing about its colours, or nothing that can be read quickly. Three kinds of
//! statement are ignored: profiles of inks, because the decoder has converted CMYK to RGB by itself; profiles for high
//! dynamic range, which need more than another colour space; and `gAMA` and `cHRM` of PNG, which say the same as sRGB
//! or are wrong too often.

#[cfg(test)]
mod tests;

use super::png;
use image::{ImageDecoder, RgbaImage};
use moxcms::{
    CicpColorPrimaries, CicpProfile, ColorProfile, DataColorSpace, Layout, MatrixCoefficients, ParsingOptions,
    TransferCharacteristics, Transform8BitExecutor, TransformOptions,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// Bytes of the longest profile that is read. A camera's has less than 1 KiB; those with tables have some hundred.
const LONGEST_PROFILE: usize = 1 << 20;

/// A profile has about twenty entries. All of them may point to the same long table, which would then be read as often.
const MOST_ENTRIES: u32 = 64;

/// Where a profile says how many entries it has.
const ENTRIES_AT: usize = 128;

/// Steps along each channel of the colours that are tried.
const STEPS: [u8; 6] = [0, 51, 102, 153, 204, 255];

/// A conversion from a file's colours to sRGB.
pub(super) enum ToSrgb {
    /// For each shade of grey.
    Grey(Box<[u8; 256]>),
    /// For red, green and blue.
    Colour(Arc<Transform8BitExecutor>),
}

/// The conversion that the file asks for, as far as it can be read. It must be called before the pixels are read.
pub(super) fn stated(file: &[u8], decoder: &mut impl ImageDecoder) -> Option<ToSrgb> {
    let in_colour = decoder.color_type().has_color();
    if let Some(code) = code_points(file) {
        return guarded(|| colour(&ColorProfile::new_from_cicp(code)));
    }
    let profile = decoder.icc_profile().ok().flatten()?;
    guarded(|| from_profile(&profile, in_colour))
}

impl ToSrgb {
    /// Converts the pixels in place; opacity stays.
    pub(super) fn apply(&self, picture: &mut RgbaImage) {
        match self {
            Self::Grey(shades) => {
                for pixel in picture.pixels_mut() {
                    let shade = shades[usize::from(pixel.0[0])];
                    pixel.0 = [shade, shade, shade, pixel.0[3]];
                }
            }
            Self::Colour(transform) => {
                let length = 4 * picture.width() as usize;
                let mut converted = vec![0; length];
                for row in picture.chunks_exact_mut(length) {
                    if transform.transform(row, &mut converted).is_ok() {
                        for (to, from) in row.chunks_exact_mut(4).zip(converted.chunks_exact(4)) {
                            to[..3].copy_from_slice(&from[..3]);
                        }
                    }
                }
            }
        }
    }
}

/// A broken profile is no reason to lose a picture that can be seen, not even if the library panics on it.
fn guarded(make: impl FnOnce() -> Option<ToSrgb>) -> Option<ToSrgb> {
    catch_unwind(AssertUnwindSafe(make)).ok().flatten()
}

/// The colours that the `cICP` chunk of a PNG states. The decoder does not report it, and it counts before any profile.
/// A PNG has red, green and blue in their full range, or the chunk is a mistake.
fn code_points(file: &[u8]) -> Option<CicpProfile> {
    let &[primaries, transfer, 0, 1] = png::chunk(file, *b"cICP")? else { return None };
    Some(CicpProfile {
        color_primaries: CicpColorPrimaries::try_from(primaries).ok()?,
        transfer_characteristics: TransferCharacteristics::try_from(transfer).ok()?,
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    })
}

fn from_profile(profile: &[u8], in_colour: bool) -> Option<ToSrgb> {
    let entries = profile.get(ENTRIES_AT..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))?;
    if profile.len() > LONGEST_PROFILE || entries > MOST_ENTRIES {
        return None;
    }
    let options = ParsingOptions { max_allowed_clut_size: LONGEST_PROFILE, ..ParsingOptions::default() };
    let profile = ColorProfile::new_from_slice_with_options(profile, options).ok()?;
    if profile.color_space == DataColorSpace::Rgb {
        colour(&profile)
    } else if profile.color_space == DataColorSpace::Gray && !in_colour {
        grey(&profile)
    } else {
        None
    }
}

fn colour(profile: &ColorProfile) -> Option<ToSrgb> {
    use TransferCharacteristics::{Hlg, Smpte2084};
    if profile.cicp.is_some_and(|code| matches!(code.transfer_characteristics, Smpte2084 | Hlg)) {
        return None;
    }
    let srgb = ColorProfile::new_srgb();
    let transform =
        profile.create_transform_8bit(Layout::Rgba, &srgb, Layout::Rgba, TransformOptions::default()).ok()?;
    let tried: Vec<u8> = STEPS
        .iter()
        .flat_map(|r| STEPS.iter().flat_map(move |g| STEPS.iter().flat_map(move |b| [*r, *g, *b, u8::MAX])))
        .collect();
    let mut converted = vec![0; tried.len()];
    transform.transform(&tried, &mut converted).ok()?;
    differs(&tried, &converted).then_some(ToSrgb::Colour(transform))
}

fn grey(profile: &ColorProfile) -> Option<ToSrgb> {
    let srgb = ColorProfile::new_srgb();
    let transform =
        profile.create_transform_8bit(Layout::Gray, &srgb, Layout::Rgb, TransformOptions::default()).ok()?;
    let tried: Vec<u8> = (0..=u8::MAX).collect();
    let mut converted = [0; 3 * 256];
    transform.transform(&tried, &mut converted).ok()?;
    let mut shades = Box::new([0; 256]);
    for (shade, rgb) in shades.iter_mut().zip(converted.chunks_exact(3)) {
        *shade = rgb[1];
    }
    differs(&tried, &shades[..]).then_some(ToSrgb::Grey(shades))
}

/// Most profiles are sRGB's own. Then every pixel stays as it is, and rounding does not count as a difference.
fn differs(before: &[u8], after: &[u8]) -> bool {
    before.iter().zip(after).any(|(before, after)| before.abs_diff(*after) > 1)
}
