//! remove.bg's API: each parameter by the pixels of its result, each error, and what it costs.

mod bodies;
mod errors;
mod results;
mod room;
mod url;

use crate::{
    backend::Manner,
    form::Form,
    people::{Person, Reply},
    world::World,
};
use image::{DynamicImage, ImageFormat, ImageReader, Rgba, RgbaImage};
use rembg_gateway::config::{BackendKind, Config};
use std::io::Cursor;

/// The picture that is sent: red, 40 × 30.
pub fn picture() -> Vec<u8> {
    file_of(RgbaImage::from_pixel(40, 30, Rgba([200, 30, 30, 255])))
}

/// What is left of it: a box of 20 × 10, 10 pixels from the left and 5 from above.
pub fn cut() -> Vec<u8> {
    let inside = |x, y| (10..30).contains(&x) && (5..15).contains(&y);
    file_of(RgbaImage::from_fn(40, 30, |x, y| if inside(x, y) { Rgba([200, 30, 30, 255]) } else { Rgba([0; 4]) }))
}

pub fn file_of(picture: impl Into<DynamicImage>) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    picture.into().write_to(&mut file, ImageFormat::Png).unwrap();
    file.into_inner()
}

pub fn decoded(body: &[u8]) -> (ImageFormat, RgbaImage) {
    let reader = ImageReader::new(Cursor::new(body)).with_guessed_format().unwrap();
    (reader.format().unwrap(), reader.decode().unwrap().into_rgba8())
}

/// A form with this picture and these texts.
pub fn form(file: &[u8], texts: &[(&str, &str)]) -> Form {
    let head = "Content-Disposition: form-data; name=\"image_file\"; filename=\"cat.png\"\r\n\r\n";
    texts.iter().fold(Form::empty().part(head, file), |form, (name, value)| form.text(name, value))
}

pub async fn remove(person: &Person, form: &Form) -> Reply {
    person.post("/v1.0/removebg", &Form::content_type(), form.body()).await
}

/// A world whose backend answers with the cut.
pub async fn world() -> World {
    world_with(|_| {}).await
}

pub async fn world_with(change: impl FnOnce(&mut Config)) -> World {
    let world = World::with(change).await;
    world.backend.will(Manner::Answer { status: 200, content_type: "image/png", body: cut() });
    world
}

/// The same with a backend that charges us.
pub async fn metered() -> World {
    world_with(|config| config.backend.api_key = Some("the-shared-key".to_owned().into())).await
}

/// The same with a `rembg s`, which answers with a mask.
pub async fn with_rembg() -> World {
    let world = World::with(|config| {
        config.backend.kind = BackendKind::Rembg;
        config.backend.urls = vec![config.backend.urls[0].replace("/rmbg", "/api/remove")];
    })
    .await;
    let inside = |x, y| (10..30).contains(&x) && (5..15).contains(&y);
    let mask = image::GrayImage::from_fn(40, 30, |x, y| image::Luma([if inside(x, y) { 255 } else { 0 }]));
    world.backend.will(Manner::Answer { status: 200, content_type: "image/png", body: file_of(mask) });
    world
}
