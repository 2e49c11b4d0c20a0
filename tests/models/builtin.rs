//! The builtin backend with its real model, on the sample picture.

use crate::support::programs::in_repository;
use bytes::Bytes;
use image::{ImageEncoder as _, ImageReader, RgbaImage, codecs::jpeg::JpegEncoder};
use rembg_gateway::{
    backend::{
        Answer, AnswerRoom, Backend as _, CutRequest, Failure,
        builtin::{Builtin, verify_model},
    },
    domain::{
        client_address::ClientAddress,
        credit::Payer,
        form::{Form, ImagePart, Output, OutputFormat},
        image_header::{ImageHeader, ImageKind},
    },
    picture::TooMuch,
    spool::{Budgets, DiskRules, Holder, Room, Spooled},
    telemetry::{BackendUse, Metrics},
};
use std::{
    fs,
    io::Cursor,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::time::Instant;

/// The sample picture, and the mask that it was made from.
const SAMPLE: &str = "deploy/sample/mug.jpg";
const SAMPLE_MASK: &str = "deploy/sample/mug-mask.png";

/// The sample's width and height in pixels.
const SIZE: (u32, u32) = (1000, 800);

fn builtin(concurrency: usize) -> Builtin {
    match Builtin::load(&in_repository(".cache/u2netp.onnx"), concurrency, 16, &Metrics::new().unwrap()) {
        Ok(builtin) => builtin,
        Err(error) => panic!("{error}"),
    }
}

/// One for all tests that do not mind: a model is loaded in half a second.
fn shared() -> &'static Builtin {
    static SHARED: OnceLock<Builtin> = OnceLock::new();
    SHARED.get_or_init(|| builtin(2))
}

fn sample() -> Vec<u8> {
    fs::read(in_repository(SAMPLE)).expect("the sample is in the repository")
}

fn budgets(max_answer: u64) -> Budgets {
    let most = 128 << 20;
    let rules = DiskRules { most, kept_for_answers: max_answer, max_answer, per_client: most, per_account: most };
    Budgets::new(64 << 20, rules)
}

fn holder() -> Holder {
    Holder { client: ClientAddress("203.0.113.7".into()), account: None }
}

fn room(max_answer: u64) -> AnswerRoom {
    AnswerRoom::new(budgets(max_answer), holder(), max_answer)
}

async fn spooled(bytes: Vec<u8>) -> Spooled {
    let mut room = Room::growing(&budgets(64 << 20), &holder(), 64 << 20);
    room.write(Bytes::from(bytes)).await.expect("written");
    room.finish()
}

fn output(format: OutputFormat) -> Output {
    let (w, h, bg_color) = (None, None, None);
    Output { format, w, h, exact_resize: false, mask: false, bg_color, angle: 0.0, expand: true }
}

async fn request(file: Vec<u8>, output: Output) -> Arc<CutRequest> {
    Arc::new(unshared(file, output).await)
}

async fn unshared(file: Vec<u8>, output: Output) -> CutRequest {
    let header = ImageHeader { kind: ImageKind::Jpeg, width: SIZE.0, height: SIZE.1 };
    let image = ImagePart { filename: "mug.jpg".into(), header, size: file.len() as u64 };
    CutRequest {
        trace: None,
        form: Form { image, fields: Vec::new(), fields_before_image: 0, output },
        image: Arc::new(spooled(file).await),
        pixel_limit: None,
        deadline: Instant::now() + Duration::from_mins(2),
        request_id: "test".into(),
        used: BackendUse::default(),
        payer: Payer::Client(ClientAddress("203.0.113.7".into())),
        priority: 0,
        room: room(64 << 20),
    }
}

async fn cut(output: Output) -> Answer {
    shared().cut(&request(sample(), output).await).await.expect("an answer")
}

async fn picture_of(answer: &Answer) -> image::DynamicImage {
    let file = answer.body.to_vec().await.expect("the body");
    ImageReader::new(Cursor::new(file)).with_guessed_format().expect("a format").decode().expect("a picture")
}

/// Opacities at the corners and in the middle.
fn corners_and_centre(cutout: &RgbaImage) -> ([u8; 4], u8) {
    let (right, bottom) = (cutout.width() - 1, cutout.height() - 1);
    let opacity = |x, y| cutout.get_pixel(x, y).0[3];
    let corners = [opacity(0, 0), opacity(right, 0), opacity(0, bottom), opacity(right, bottom)];
    (corners, opacity(cutout.width() / 2, cutout.height() / 2))
}

#[tokio::test]
async fn the_background_goes_and_the_subject_stays() {
    for (format, content_type) in [(OutputFormat::Webp, "image/webp"), (OutputFormat::Png, "image/png")] {
        let answer = cut(output(format)).await;
        assert_eq!((answer.status, answer.content_type.as_deref()), (200, Some(content_type)));
        let cutout = picture_of(&answer).await.into_rgba8();
        assert_eq!(cutout.dimensions(), SIZE);
        let (corners, centre) = corners_and_centre(&cutout);
        assert!(corners.iter().all(|opacity| *opacity < 8), "{format:?}: corners {corners:?}");
        assert!(centre > 247, "{format:?}: centre {centre}");
    }
}

#[tokio::test]
async fn the_mask_is_the_one_that_the_sample_was_made_from() {
    let answer = cut(Output { mask: true, ..output(OutputFormat::Png) }).await;
    let mask = picture_of(&answer).await.into_luma8();
    let truth = image::open(in_repository(SAMPLE_MASK)).expect("the sample's mask").into_luma8();
    assert_eq!(mask.dimensions(), truth.dimensions());
    let (mut both, mut either) = (0_u32, 0_u32);
    for (found, made) in mask.pixels().zip(truth.pixels()) {
        let (found, made) = (found.0[0] >= 128, made.0[0] >= 128);
        both += u32::from(found && made);
        either += u32::from(found || made);
    }
    let overlap = f64::from(both) / f64::from(either);
    assert!(overlap >= 0.9, "intersection over union is {overlap:.3}");
}

#[tokio::test]
async fn half_a_picture_is_unreadable() {
    let whole = sample();
    let half = whole[..whole.len() / 2].to_vec();
    let failure = shared().cut(&request(half, output(OutputFormat::Png)).await).await;
    assert!(matches!(failure, Err(Failure::Unreadable(_))), "{failure:?}");
}

#[tokio::test]
async fn a_picture_larger_than_its_header_said_is_unreadable() {
    let mut request = unshared(sample(), output(OutputFormat::Png)).await;
    request.form.image.header.width = SIZE.0 / 2;
    let failure = shared().cut(&Arc::new(request)).await;
    assert!(matches!(failure, Err(Failure::Unreadable(_))), "{failure:?}");
}

/// The sample as a camera that was held upright stores it: its pixels lie on their side, and EXIF says so.
fn sample_on_its_side() -> Vec<u8> {
    let pixels = image::load_from_memory(&sample()).expect("the sample").into_rgb8();
    // TIFF, big-endian, one tag: orientation, a quarter turn.
    let exif = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let mut file = Vec::new();
    let mut encoder = JpegEncoder::new(&mut file);
    encoder.set_exif_metadata(exif.to_vec()).expect("EXIF in JPEG");
    encoder.encode_image(&pixels).expect("a file");
    file
}

#[tokio::test]
async fn a_picture_that_exif_turns_is_still_kept_to_the_limit_on_pixels() {
    let on_its_side = sample_on_its_side();
    // By its header 1000 x 800 pixels; upright, and as wide as that, it is 1000 x 1250.
    let wide = Output { w: Some(1000), ..output(OutputFormat::Png) };
    let request = unshared(on_its_side, wide).await;
    let refused = shared().cut(&Arc::new(CutRequest { pixel_limit: Some(1_249_999), ..request.clone() })).await;
    assert!(
        matches!(refused, Err(Failure::TooMuch(TooMuch::Pixels { pixels: 1_250_000, most: 1_249_999 }))),
        "{refused:?}"
    );
    let answer =
        shared().cut(&Arc::new(CutRequest { pixel_limit: Some(1_250_000), ..request })).await.expect("an answer");
    let made = picture_of(&answer).await;
    assert_eq!((made.width(), made.height()), (1000, 1250));
}

#[tokio::test]
async fn a_bmp_that_exif_makes_too_long_is_refused_before_the_model_has_seen_it() {
    let wide = Output { w: Some(1000), ..output(OutputFormat::Bmp) };
    let request = unshared(sample_on_its_side(), wide).await;
    let refused = shared().cut(&Arc::new(CutRequest { room: room(5_000_121), ..request.clone() })).await;
    assert!(
        matches!(refused, Err(Failure::TooMuch(TooMuch::Bytes { bytes: 5_000_122, most: 5_000_121 }))),
        "{refused:?}"
    );
    let answer = shared().cut(&Arc::new(CutRequest { room: room(5_000_122), ..request })).await.expect("an answer");
    assert_eq!(answer.body.len(), 5_000_122);
}

#[tokio::test]
async fn the_slot_is_taken_while_one_picture_is_worked_on_and_free_afterwards() {
    let builtin = builtin(1);
    let patient = request(sample(), output(OutputFormat::Png)).await;
    let hurried = Arc::new(CutRequest { deadline: Instant::now(), ..CutRequest::clone(&patient) });
    let first = builtin.cut(&patient);
    let second = builtin.cut(&hurried);
    // The first is polled first and takes the only slot; the second's deadline has passed.
    let (first, second) = tokio::join!(biased; first, second);
    assert!(first.is_ok(), "{first:?}");
    assert!(matches!(second, Err(Failure::Unavailable { .. })), "{second:?}");
    let third = builtin.cut(&hurried).await;
    assert!(matches!(third, Err(Failure::TimedOut)), "a slot was free, the time was not: {third:?}");
}

#[tokio::test]
async fn a_missing_and_a_wrong_model_say_how_to_get_the_right_one() {
    for path in ["no/such/model.onnx", SAMPLE_MASK] {
        let error = verify_model(&in_repository(path)).expect_err("no model").to_string();
        assert!(error.contains("deploy/fetch-model.sh") && error.contains(path), "{error}");
    }
}
