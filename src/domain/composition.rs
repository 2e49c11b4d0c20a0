//! What is made of a cut-out beyond what the form of `POST /rmbg` can ask for: the region of interest, crop, scale,
//! position, background picture, size in megapixels. Other APIs' parameters are turned into this; `picture` carries it out.
//!
//! The order: region of interest, cut, crop with its margin, scale and position on that canvas, background, size, encoding.

use super::form::Rgba;

/// Everything that is asked for, defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Composition {
    /// Outside of this region everything is background.
    pub region: Option<Region>,
    /// Crop empty regions, and leave this much around the subject.
    pub crop: Option<Margins>,
    /// The subject's size on the canvas; `None` leaves it as it is.
    pub scale: Option<Percent>,
    /// The subject's place on the canvas; `None` leaves it where it is.
    pub position: Option<Position>,
    /// What is put behind the subject.
    pub background: Background,
    /// Colours with opacity, or opacity alone.
    pub channels: Channels,
    /// Pixels of the result at most. It is scaled down to them, never up.
    pub most_pixels: u64,
    /// Pixels of the result at most if it becomes a PNG.
    pub most_png_pixels: u64,
    /// The file that is answered with.
    pub encoding: Encoding,
}

/// Per cent, 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Percent(pub f64);

/// A length along one side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    /// Pixels.
    Pixels(u32),
    /// A part of the side that it is measured along.
    Percent(Percent),
}

/// A rectangle of the upright input, by two corners, in any order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Region {
    /// Of the first corner.
    pub x1: Length,
    /// Of the first corner.
    pub y1: Length,
    /// Of the second corner.
    pub x2: Length,
    /// Of the second corner.
    pub y2: Length,
}

/// What is left around a cropped subject. A percentage is one of the subject's own width or height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Margins {
    /// Above.
    pub top: Length,
    /// To the right.
    pub right: Length,
    /// Below.
    pub bottom: Length,
    /// To the left.
    pub left: Length,
}

/// Where the subject is put: the part of the free room that is left of it and above it. 50 and 50 is the centre.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    /// Of the free width.
    pub x: Percent,
    /// Of the free height.
    pub y: Percent,
}

/// What is put behind the subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Background {
    /// Nothing: the result is transparent there.
    None,
    /// A colour.
    Colour(Rgba),
    /// A picture, centred and scaled to fill the canvas; its file is given beside this.
    Picture,
}

/// What the result shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// Colours and opacity.
    Rgba,
    /// Opacity alone, as grey.
    Alpha,
}

/// The file that is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// PNG if anything is transparent, JPEG otherwise.
    Auto,
    /// Portable Network Graphics.
    Png,
    /// JPEG; what is transparent becomes white.
    Jpeg,
    /// WebP.
    Webp,
    /// A zip file with `color.jpg` (the input's colours where anything is visible, black elsewhere) and `alpha.png`.
    Zip,
}
