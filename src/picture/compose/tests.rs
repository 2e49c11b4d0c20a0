//! What a composition asks for is what the file shows: read back after encoding.

mod files;
mod geometry;
mod hostile;
mod looks;
mod regions;

use super::{Area, ComposeError, Composed, RegionFault, Source, Sources, compose, memory};
use crate::{
    domain::{
        composition::{Background, Channels, Composition, Encoding, Length, Margins, Percent, Position, Region},
        form::Rgba as Colour,
    },
    picture::encode::encode_as,
};
use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};
use std::io::Cursor;

const RED: Rgba<u8> = Rgba([200, 0, 0, 255]);
const GREEN: Rgba<u8> = Rgba([0, 180, 0, 255]);
const BLUE: Rgba<u8> = Rgba([0, 0, 200, 255]);
const CLEAR: Rgba<u8> = Rgba([0; 4]);

/// A composition that asks for nothing but a PNG.
const AS_IT_IS: Composition = Composition {
    region: None,
    crop: None,
    scale: None,
    position: None,
    background: Background::None,
    channels: Channels::Rgba,
    most_pixels: 50_000_000,
    most_png_pixels: 10_000_000,
    encoding: Encoding::Png,
};

fn px(pixels: u32) -> Length {
    Length::Pixels(pixels)
}

fn percent(percent: f64) -> Length {
    Length::Percent(Percent(percent))
}

/// The same margin on every side.
#[expect(clippy::unnecessary_wraps, reason = "it is a composition's field")]
fn margins(length: Length) -> Option<Margins> {
    Some(Margins { top: length, right: length, bottom: length, left: length })
}

#[expect(clippy::unnecessary_wraps, reason = "it is a composition's field")]
fn at(x: f64, y: f64) -> Option<Position> {
    Some(Position { x: Percent(x), y: Percent(y) })
}

fn area(left: u32, top: u32, width: u32, height: u32) -> Area {
    Area { left, top, width, height }
}

/// A red subject in this place of an otherwise empty cut.
fn subject(size: (u32, u32), place: Area) -> RgbaImage {
    RgbaImage::from_fn(size.0, size.1, |x, y| if place.contains(x, y) { RED } else { CLEAR })
}

fn file_of(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, format).expect("a file");
    file.into_inner()
}

fn png(picture: &RgbaImage) -> Vec<u8> {
    file_of(&picture.clone().into(), ImageFormat::Png)
}

fn source(file: &[u8]) -> Source<'_> {
    Source { file, most_pixels: 50_000_000 }
}

/// The result for a cut whose input looks the same.
fn composed(cut: &RgbaImage, composition: &Composition) -> Composed {
    let file = png(cut);
    let sources = Sources { cut: &file, input: source(&file), background: None };
    compose(&sources, composition).expect("a result")
}

/// The result on a background picture.
fn composed_on(cut: &RgbaImage, background: &RgbaImage, composition: &Composition) -> Composed {
    let (file, background) = (png(cut), png(background));
    let sources = Sources { cut: &file, input: source(&file), background: Some(source(&background)) };
    compose(&sources, &Composition { background: Background::Picture, ..*composition }).expect("a result")
}

/// The result's picture in its own colour type, after a look at what is said of it.
fn read(result: &Composed) -> DynamicImage {
    let reader = image::ImageReader::new(Cursor::new(&result.file)).with_guessed_format().expect("a known format");
    assert_eq!(reader.format().map(|format| format.to_mime_type()), Some(result.content_type));
    let picture = reader.decode().expect("a file that can be read");
    assert_eq!((picture.width(), picture.height()), result.size, "the size that is told is the file's");
    picture
}

/// The pixels of the result.
fn pixels(cut: &RgbaImage, composition: &Composition) -> RgbaImage {
    read(&composed(cut, composition)).into_rgba8()
}

/// The box around everything that is red.
fn red_box(picture: &RgbaImage) -> Option<Area> {
    let seen = picture.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[0] > 100 && pixel.0[3] > 127);
    let places: Vec<_> = seen.map(|(x, y, _)| (x, y)).collect();
    let (left, right) = (places.iter().map(|p| p.0).min()?, places.iter().map(|p| p.0).max()?);
    let (top, bottom) = (places.iter().map(|p| p.1).min()?, places.iter().map(|p| p.1).max()?);
    Some(area(left, top, right - left + 1, bottom - top + 1))
}

/// Whether two colours look the same, as far as a lossy format allows.
fn is_near(one: Rgba<u8>, other: Rgba<u8>) -> bool {
    one.0.iter().zip(other.0).all(|(one, other)| one.abs_diff(other) <= 12)
}
