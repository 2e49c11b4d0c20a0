//! A version of a picture that every program reads as we do.

use super::{PictureError, colour, decode, png};
use image::codecs::png::PngEncoder;

/// The picture as it is seen, on white, upright, in eight bits of sRGB, as a PNG; `None` for a file that all programs
/// read alike.
///
/// Programs differ about sixteen bits of grey: Pillow takes the 256 darkest shades for all there are, so that the
/// picture is white. They differ about transparent pixels too: some show the colour that is hidden there. `most_pixels`
/// is as in [`decode`](decode()).
pub fn plain(file: &[u8], most_pixels: u64) -> Result<Option<Vec<u8>>, PictureError> {
    let is_deep_grey = is_deep_grey(file);
    if !is_deep_grey && !may_be_transparent(file) {
        return Ok(None);
    }
    let picture = decode(file, most_pixels)?;
    if !is_deep_grey && picture.pixels().all(|pixel| pixel.0[3] == u8::MAX) {
        return Ok(None);
    }
    let seen = colour::flatten(&picture, colour::WHITE);
    drop(picture);
    let mut plain = Vec::new();
    seen.write_with_encoder(PngEncoder::new(&mut plain)).map_err(PictureError::Encode)?;
    Ok(Some(plain))
}

/// Whether it is a PNG of sixteen bits of grey.
fn is_deep_grey(file: &[u8]) -> bool {
    matches!(png::chunk(file, *b"IHDR"), Some([_, _, _, _, _, _, _, _, 16, 0, ..]))
}

/// Whether the file's header allows for transparency.
fn may_be_transparent(file: &[u8]) -> bool {
    if let Some(&[_, _, _, _, _, _, _, _, _, colours, ..]) = png::chunk(file, *b"IHDR") {
        return colours & 4 != 0 || png::chunk(file, *b"tRNS").is_some();
    }
    let flag = |at: usize| file.get(at).is_some_and(|flags| flags & 0x10 != 0);
    match (file.get(..4), file.get(12..16)) {
        (Some(b"RIFF"), Some(b"VP8X")) => flag(20),
        (Some(b"RIFF"), Some(b"VP8L")) => flag(24),
        _ => false,
    }
}
