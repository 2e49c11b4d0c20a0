//! The documented API on top of the real server: the Python package `rembg`, `rembg s --no-ui`, model u2netp.
//!
//! `tests/rembg-venv.sh` installs it.

use crate::support::{form::Form, process::Process, programs::in_repository, world::World};
use image::{DynamicImage, GrayImage, ImageFormat, ImageReader};
use rembg_gateway::config::BackendKind;
use std::{
    fs,
    io::{BufRead as _, BufReader, Cursor},
    process::{Command, Stdio},
    time::Duration,
};
use tokio::{sync::oneshot, task::spawn_blocking, time::timeout};

const PROGRAM: &str = ".cache/rembg-venv/bin/rembg";

/// A server, and the address that it says it has.
async fn server() -> (Process, String) {
    let mut server = Command::new(in_repository(PROGRAM))
        .args(["s", "--no-ui", "--host", "127.0.0.1", "--port", "0"])
        .env("U2NET_HOME", in_repository(".cache"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(server.stderr.take().unwrap());
    let server = Process(server);
    let (tell, told) = oneshot::channel();
    spawn_blocking(move || {
        let mut tell = Some(tell);
        // Read to the end, or the server would wait for room in the pipe.
        for line in said.lines().map_while(Result::ok) {
            if let Some((_, address)) = line.split_once("running on ")
                && let Some(tell) = tell.take()
            {
                drop(tell.send(address.split(' ').next().unwrap().to_owned()));
            }
        }
    });
    let told = timeout(Duration::from_mins(5), told).await.expect("the server listens within five minutes");
    (server, told.expect("the server ended before it listened"))
}

fn decoded(body: &[u8]) -> (ImageFormat, DynamicImage) {
    let reader = ImageReader::new(Cursor::new(body)).with_guessed_format().unwrap();
    (reader.format().unwrap(), reader.decode().unwrap())
}

fn file_of(picture: impl Into<DynamicImage>) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    picture.into().write_to(&mut file, ImageFormat::Png).unwrap();
    file.into_inner()
}

/// The sample in kinds of file that the server reads otherwise than we do: sixteen bits of grey, of which it sees white; and
/// with a background that is transparent already, whose hidden colour it sees.
fn kinds(mug: &[u8]) -> [(&'static str, Vec<u8>); 2] {
    let mug = image::load_from_memory(mug).unwrap();
    let truth = sample_mask();
    let mut hiding = mug.to_rgba8();
    for (pixel, mask) in hiding.pixels_mut().zip(truth.pixels()).filter(|(_, mask)| mask.0[0] < 128) {
        pixel.0 = [255, 0, 255, mask.0[0] / 255];
    }
    [("sixteen bits of grey", file_of(mug.to_luma16())), ("a hidden background", file_of(hiding))]
}

fn sample_mask() -> GrayImage {
    image::open(in_repository("deploy/sample/mug-mask.png")).unwrap().into_luma8()
}

/// The mask is the one that the sample was made from.
fn agrees_with_the_sample(kind: &str, body: &[u8]) {
    let (mask, truth) = (decoded(body).1.into_luma8(), sample_mask());
    assert_eq!(mask.dimensions(), truth.dimensions(), "{kind}");
    let (mut both, mut either) = (0_u32, 0_u32);
    for (found, made) in mask.pixels().zip(truth.pixels()) {
        let (found, made) = (found.0[0] >= 128, made.0[0] >= 128);
        both += u32::from(found && made);
        either += u32::from(found || made);
    }
    assert!(f64::from(both) / f64::from(either) >= 0.95, "{kind}: {both} of {either} pixels agree");
}

#[tokio::test]
async fn the_real_server_serves_the_documented_api_through_the_gateway() {
    assert!(in_repository(PROGRAM).exists(), "the package rembg is not installed; run: tests/rembg-venv.sh");
    let (_server, address) = server().await;
    let world = World::with(|config| {
        config.backend.kind = BackendKind::Rembg;
        config.backend.urls = vec![format!("{address}/api/remove")];
        config.backend.concurrency = 1;
        config.backend.timeout_s = 120;
    })
    .await;
    assert_eq!(world.operator().get("/readyz").await.status, 200, "its 404 to the health check will do");
    let ann = world.customer("ann", 100).await;
    let mug = fs::read(in_repository("deploy/sample/mug.jpg")).unwrap();
    let picture = || Form::empty().image("mug.jpg", &mug);

    let reply = ann.cut(&picture().text("mask", "true").text("format", "png")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    agrees_with_the_sample("JPEG", &reply.body);
    for (kind, file) in kinds(&mug) {
        let form = Form::empty().image("mug.png", &file).text("mask", "true").text("format", "png");
        let reply = ann.cut(&form).await;
        assert_eq!(reply.status, 200, "{kind}: {reply:?}");
        agrees_with_the_sample(kind, &reply.body);
    }
    let sent = image::load_from_memory(&mug).unwrap().into_rgb8();
    let reply = ann.cut(&Form::empty().image("mug.png", &file_of(sent.clone())).text("format", "png")).await;
    let cutout = decoded(&reply.body).1.into_rgba8();
    for (x, y, pixel) in cutout.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[3] > 0) {
        assert_eq!(pixel.0[..3], sent.get_pixel(x, y).0, "the picture's own colour, also where the mask is soft");
    }

    for (fields, format, size) in [
        (&[("w", "500")][..], ImageFormat::WebP, (500, 400)),
        (&[("format", "jpeg"), ("bg_color", "rebeccapurple"), ("h", "200")], ImageFormat::Jpeg, (250, 200)),
        (&[("format", "bmp"), ("w", "100"), ("h", "100"), ("exact_resize", "1")], ImageFormat::Bmp, (100, 100)),
        (&[("format", "png"), ("angle", "-90"), ("w", "100")], ImageFormat::Png, (80, 100)),
    ] {
        let form = fields.iter().fold(picture(), |form, (name, value)| form.text(name, value));
        let reply = ann.cut(&form).await;
        assert_eq!(reply.status, 200, "{fields:?}: {reply:?}");
        let (found, made) = decoded(&reply.body);
        assert_eq!((found, (made.width(), made.height())), (format, size), "{fields:?}");
    }

    let torn = Form::empty().image("torn.jpg", &mug[..mug.len() / 8]);
    assert_eq!(ann.cut(&torn).await.status, 400, "it cannot be read, here or there");
    assert_eq!(ann.used().await, 8);
    world.nothing_held().await;
    world.audited("ann").await;
}
