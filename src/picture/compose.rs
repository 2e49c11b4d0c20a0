//! From a backend's cut to the result that a [`Composition`] asks for.
//!
//! The order is the one that [`domain::composition`](crate::domain::composition) states, but the canvas between its steps
//! is only reckoned with: subject and background are scaled once, to the result's own pixels. So no margin makes a canvas
//! that is too large, memory is bounded by `most_pixels`, and nothing is blurred twice.

mod area;
mod draw;
mod file;
mod layout;
mod memory;
mod read;
mod region;
mod zip;
#[cfg(test)]
mod tests;

pub use area::Area;
pub use memory::memory;
pub use region::{RegionFault, judge_region, judge_region_by_header};

use super::{PictureError, decode};
use crate::domain::composition::{Background, Channels, Composition, Encoding};
use draw::{Behind, draw};
use layout::Layout;

/// A picture's file.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Its bytes.
    pub file: &'a [u8],
    /// Pixels that were agreed: width × height, as its header states them.
    pub most_pixels: u64,
}

/// What a result is made of.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// The file that the backend has answered with: the input without its background, upright, in any size.
    pub cut: &'a [u8],
    /// The picture that the caller has sent.
    pub input: Source<'a>,
    /// What comes behind the subject if the composition has [`Background::Picture`].
    pub background: Option<Source<'a>>,
}

/// A result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composed {
    /// Its file.
    pub file: Vec<u8>,
    /// The file's media type.
    pub content_type: &'static str,
    /// Width and height of the result, in pixels.
    pub size: (u32, u32),
    /// The box around everything that is not wholly transparent, in pixels of the upright input; `None` if the cut is
    /// empty. Then the result shows the background alone, neither cropped nor scaled.
    pub foreground: Option<Area>,
}

/// Why there is no result, by the picture that is to blame.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// The caller's picture.
    #[error("input: {0}")]
    Input(#[source] PictureError),
    /// The caller's picture has no such region.
    #[error(transparent)]
    Region(#[from] RegionFault),
    /// The caller's background.
    #[error("background: {0}")]
    Background(#[source] PictureError),
    /// No background was given to a composition that has one.
    #[error("background: none was given")]
    NoBackground,
    /// The backend's cut.
    #[error("cut: {0}")]
    Cut(#[source] PictureError),
    /// The backend's cut has other proportions than the input.
    #[error("cut: {cut:?} pixels, of an input of {input:?}")]
    CutShape {
        /// Width and height in pixels.
        cut: (u32, u32),
        /// Width and height in pixels, upright.
        input: (u32, u32),
    },
    /// The result cannot be made or encoded.
    #[error("result: {0}")]
    Result(#[source] PictureError),
}

/// Makes the result. The memory that it needs is known before, by [`memory`](memory()).
pub fn compose(sources: &Sources<'_>, composition: &Composition) -> Result<Composed, ComposeError> {
    let cut = read::cut(sources, composition)?;
    let foreground = area::foreground(&cut);
    let behind = behind(sources, composition)?;
    let layout = Layout::of(cut.dimensions(), foreground, composition);

    let mut size = layout.size(composition.most_pixels);
    let encoding = if composition.encoding == Encoding::Auto {
        let shines_through = !(layout.fills(size) && area::is_opaque(&cut, layout.part));
        if shines_through && behind.may_be_transparent() { Encoding::Png } else { Encoding::Jpeg }
    } else {
        composition.encoding
    };
    if encoding == Encoding::Png {
        size = layout.size(composition.most_pixels.min(composition.most_png_pixels));
    }
    let picture = draw(cut, &layout, size, behind).map_err(ComposeError::Result)?;
    let file = file::write(picture, composition.channels, encoding).map_err(ComposeError::Result)?;
    Ok(Composed { file, content_type: file::content_type(encoding), size, foreground })
}

/// What comes behind the subject. Where only opacity is shown, that is nothing.
fn behind(sources: &Sources<'_>, composition: &Composition) -> Result<Behind, ComposeError> {
    match composition.background {
        _ if composition.channels == Channels::Alpha => Ok(Behind::Nothing),
        Background::None => Ok(Behind::Nothing),
        Background::Colour(colour) => Ok(Behind::Colour(colour)),
        Background::Picture => {
            let source = sources.background.ok_or(ComposeError::NoBackground)?;
            decode(source.file, source.most_pixels).map(Behind::Picture).map_err(ComposeError::Background)
        }
    }
}
