use super::{
    ImageKind::{Bmp, Jpeg, Png, Webp},
    *,
};
use image::{ImageFormat, ImageReader, RgbImage};
use proptest::prelude::*;
use std::io::Cursor;

type Read = Result<ImageHeader, CorruptHeader>;

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let mut reader = HeaderReader::new();
    for piece in pieces {
        reader.feed(piece);
    }
    reader.finish()
}

fn encoded(kind: ImageKind, width: u32, height: u32) -> Vec<u8> {
    let format = match kind {
        Png => ImageFormat::Png,
        Jpeg => ImageFormat::Jpeg,
        Webp => ImageFormat::WebP,
        Bmp => ImageFormat::Bmp,
    };
    let mut file = Cursor::new(Vec::new());
    RgbImage::new(width, height).write_to(&mut file, format).unwrap();
    file.into_inner()
}

fn read_by_image_crate(file: &[u8]) -> (u32, u32) {
    ImageReader::new(Cursor::new(file)).with_guessed_format().unwrap().into_dimensions().unwrap()
}

/// The file with `length` bytes of segments, and fill bytes around them, between a JPEG's start and what followed it.
fn with_segments(jpeg: &[u8], length: usize) -> Vec<u8> {
    let mut file = jpeg[..2].to_vec();
    for part in vec![0xff; length].chunks(65_533) {
        file.extend([0xff, 0xff, 0xff, 0xe2]);
        file.extend(u16::try_from(part.len() + 2).unwrap().to_be_bytes());
        file.extend(part);
    }
    file.push(0xff);
    file.extend(&jpeg[2..]);
    file
}

fn bmp(header_length: u32, size: &[u8]) -> Vec<u8> {
    [b"BM\0\0\0\0\0\0\0\0\0\0\0\0", header_length.to_le_bytes().as_slice(), size, &[0; 40]].concat()
}

fn long_bmp(width: i32, height: i32) -> Vec<u8> {
    bmp(40, &[width.to_le_bytes(), height.to_le_bytes()].concat())
}

fn webp(chunk: &[u8], payload: &[u8]) -> Vec<u8> {
    [b"RIFF\0\0\0\0WEBP", chunk, b"\0\0\0\0", payload].concat()
}

fn png(first_chunk: &[u8], width: u32, height: u32) -> Vec<u8> {
    [png::SIGNATURE, first_chunk, &width.to_be_bytes(), &height.to_be_bytes(), b"\x08\x02\0\0\0"].concat()
}

/// A PNG of 9 × 8 whose header is followed by chunks of these names and lengths.
fn png_of(chunks: &[(&[u8; 4], usize)]) -> Vec<u8> {
    let mut file = [png(b"\0\0\0\x0dIHDR", 9, 8), b"sum.".to_vec()].concat();
    for (name, length) in chunks {
        file.extend(u32::try_from(*length).unwrap().to_be_bytes());
        file.extend([&name[..], &b"IHDR.".repeat(length / 5 + 1)[..*length], b"sum."].concat());
    }
    file
}

/// A JPEG that begins with these markers and segments.
fn jpeg(markers: &[u8]) -> Vec<u8> {
    [b"\xff\xd8", markers, &[0; 12]].concat()
}

fn frame(code: u8, width: u16, height: u16) -> Vec<u8> {
    [&[0xff, code, 0, 11, 8][..], &height.to_be_bytes(), &width.to_be_bytes(), &[1, 1, 0x11, 0]].concat()
}

/// A scan's header, and data with stuffed bytes and restarts in it.
const SCAN: &[u8] = b"\xff\xda\0\x08\x01\x01\0\0\x3f\0 some \xff\0 data \xff\xd0\xff\0\xc0 and more";

const END: &[u8] = b"\xff\xd9";

/// Files whose size is readable, with their kind and size.
fn readable() -> Vec<(&'static str, Vec<u8>, ImageKind, u32, u32)> {
    let mut table = vec![
        ("png", png(b"\0\0\0\x0dIHDR", 100_000, 1), Png, 100_000, 1),
        ("bmp, bottom-up", long_bmp(640, 480), Bmp, 640, 480),
        ("bmp, top-down", long_bmp(640, -480), Bmp, 640, 480),
        ("bmp, OS/2 1.x", bmp(12, b"\x80\x02\xff\xff"), Bmp, 640, 65_535),
        ("bmp, OS/2 2.x", bmp(64, b"\x80\x02\0\0\xe0\x01\0\0"), Bmp, 640, 480),
        ("bmp, version 5", bmp(124, b"\x80\x02\0\0\xe0\x01\0\0"), Bmp, 640, 480),
        ("webp, lossy, scaled", webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a\x80\x42\xe0\x81"), Webp, 640, 480),
        ("webp, lossless", webp(b"VP8L", b"\x2f\x7f\xc2\x77\x00"), Webp, 640, 480),
        ("webp, extended", webp(b"VP8X", b"\0\0\0\0\x7f\x02\0\xff\xff\xff"), Webp, 640, 1 << 24),
        ("jpeg, fill bytes", jpeg(&[&[0xff; 9][..], &frame(0xc0, 640, 480)].concat()), Jpeg, 640, 480),
        ("jpeg, empty segment", jpeg(&[b"\xff\xe1\0\x02", &frame(0xc0, 640, 480)[..]].concat()), Jpeg, 640, 480),
        ("jpeg, rubbish", jpeg(&[b"\xff\xe1\0\x03xyz\xff\0\xff\x01", &frame(0xc0, 9, 8)[..]].concat()), Jpeg, 9, 8),
        (
            "jpeg, tables",
            jpeg(&[0xc4, 0xc8, 0xcc, 0xc2].map(|code| frame(code, code.into(), 8)).concat()),
            Jpeg,
            0xc2,
            8,
        ),
    ];
    for code in [0xc0, 0xc1, 0xc2, 0xc3, 0xc5, 0xc6, 0xc7, 0xc9, 0xca, 0xcb, 0xcd, 0xce, 0xcf] {
        table.push(("jpeg, every frame", jpeg(&frame(code, 640, 480)), Jpeg, 640, 480));
    }
    table
}

#[test]
fn every_layout_of_a_header_is_read() {
    for (what, file, kind, width, height) in readable() {
        assert_eq!(read([&file[..]]), Ok(ImageHeader { kind, width, height }), "{what}");
    }
}

#[test]
fn a_file_that_ends_inside_its_header_is_corrupt() {
    for (what, file, ..) in readable() {
        let whole = read([&file[..]]);
        let complete = (0..=file.len()).find(|end| read([&file[..*end]]) == whole).unwrap();
        assert!(complete > 10, "{what}: read from {complete} bytes");
        for end in 0..file.len() {
            let expected = if end < complete { Err(CorruptHeader) } else { whole };
            assert_eq!(read([&file[..end]]), expected, "{what}, cut to {end} of {complete} bytes");
        }
    }
}

#[test]
fn no_known_signature_or_no_usable_size_is_corrupt() {
    let ihdr = b"\0\0\0\x0dIHDR";
    for (what, file) in [
        ("empty", vec![]),
        ("text", b"not a picture at all, only a longer text".to_vec()),
        ("gif", b"GIF89a\x80\x02\xe0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec()),
        ("png without width", png(ihdr, 0, 9)),
        ("png without height", png(ihdr, 9, 0)),
        ("png with another first chunk", png(b"\0\0\0\x04CgBI", 9, 9)),
        ("png with a long first chunk", png(b"\0\0\0\x0eIHDR", 9, 9)),
        ("png of two headers", png_of(&[(b"IHDR", 13), (b"IDAT", 5)])),
        ("png of two headers, far apart", png_of(&[(b"tEXt", 70_000), (b"IHDR", 13), (b"IDAT", 5)])),
        ("png of two headers, the second cut off", png_of(&[(b"tEXt", 0), (b"IHDR", 0)])),
        ("bmp without width", long_bmp(0, 9)),
        ("bmp without height", long_bmp(9, 0)),
        ("bmp of negative width", long_bmp(-9, 9)),
        ("bmp of a height that has no opposite", long_bmp(9, i32::MIN)),
        ("bmp of no known layout", bmp(41, &[1; 8])),
        ("OS/2 bitmap without width", bmp(12, b"\0\0\x01\0")),
        ("sound", b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x44\xac\0\0\0\0\0\0".to_vec()),
        ("webp of no known chunk", webp(b"ALPH", &[1; 10])),
        ("lossy webp without start code", webp(b"VP8 ", &[1; 10])),
        ("lossy webp without width", webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a\0\xc0\x01\0")),
        ("lossless webp without signature", webp(b"VP8L", &[1; 10])),
        ("jpeg whose height comes later", jpeg(&frame(0xc0, 640, 0))),
        ("jpeg without width", jpeg(&frame(0xc0, 0, 480))),
        ("jpeg with a scan before its frame", jpeg(&[b"\xff\xda\0\x02", &frame(0xc0, 9, 9)[..]].concat())),
        ("jpeg that ends before its frame", jpeg(&[b"\xff\xd9", &frame(0xc0, 9, 9)[..]].concat())),
        ("jpeg with an impossible segment", jpeg(&[b"\xff\xe0\0\x01", &frame(0xc0, 9, 9)[..]].concat())),
        ("jpeg with a short frame", jpeg(b"\xff\xc0\0\x06\x08\0\x09\0\x09")),
        ("jpeg without a frame", jpeg(b"\xff\xe0\0\x04ab")),
        ("jpeg of two frames", jpeg(&[frame(0xc0, 9, 9), frame(0xc0, 9, 9)].concat())),
        ("jpeg of two frames, scanned", jpeg(&[&frame(0xc2, 9, 9)[..], SCAN, &frame(0xc2, 8000, 9), END].concat())),
        ("jpeg of two frames, the second cut off", jpeg(&[&frame(0xc0, 9, 9)[..], SCAN, b"\xff\xc1"].concat())),
        ("jpeg begun anew inside", jpeg(&[&frame(0xc0, 9, 9)[..], SCAN, b"\xff\xd8", &frame(0xc0, 9, 9)].concat())),
    ] {
        assert_eq!(read([&file[..]]), Err(CorruptHeader), "{what}");
    }
}

#[test]
fn a_jpegs_size_is_found_behind_megabytes_of_segments() {
    let file = with_segments(&encoded(Jpeg, 37, 21), 3_000_000);
    assert_eq!(read_by_image_crate(&file), (37, 21));
    assert_eq!(read(file.chunks(65_536)), Ok(ImageHeader { kind: Jpeg, width: 37, height: 21 }));
}

#[test]
fn a_jpegs_end_ends_what_is_looked_at_and_its_thumbnails_are_none_of_its_frames() {
    let small = jpeg(&[&frame(0xc0, 160, 120)[..], SCAN, END].concat());
    let segment = |code: u8, payload: &[u8]| {
        let length = u16::try_from(payload.len() + 2).unwrap();
        [&[0xff, code][..], &length.to_be_bytes(), payload].concat()
    };
    let picture = |before: &[u8]| {
        let tables = segment(0xc4, &[0xff, 0xc0, 0, 11]);
        jpeg(&[before, &frame(0xc0, 640, 480), &tables, SCAN, b"\xff\xd3\xff\0", END].concat())
    };
    let exif = segment(0xe1, &[b"Exif\0\0", &small[..]].concat());
    let mpf = segment(0xe2, b"MPF\0MM\0*\0\0\0\x08\xff\xc0");
    let progressive = [&frame(0xc2, 640, 480)[..], &SCAN.repeat(10), &segment(0xc4, &[1; 20]), SCAN, b"\xff\xff", END];
    for (what, file) in [
        ("a thumbnail in its header", picture(&exif)),
        ("Ultra HDR: a gain map behind its end", [picture(&exif), small.clone()].concat()),
        ("MPO: a second image behind its end", [picture(&mpf), picture(&mpf)].concat()),
        ("progressive", jpeg(&progressive.concat())),
        ("without an end", jpeg(&[&frame(0xc0, 640, 480)[..], SCAN].concat())),
        ("rubbish behind its end", [picture(b""), frame(0xc0, 9, 9).repeat(3)].concat()),
        (
            "a number of lines behind a scan",
            jpeg(&[&frame(0xc0, 640, 480)[..], SCAN, b"\xff\xdc\0\x04\x01\xe0", END].concat()),
        ),
    ] {
        let header = Ok(ImageHeader { kind: Jpeg, width: 640, height: 480 });
        assert_eq!(read([&file[..]]), header, "{what}");
        assert_eq!(read(file.chunks(1)), header, "{what}, byte by byte");
    }
}

/// As a real encoder writes them: ten scans of one frame, and two pictures of different sizes in one file.
#[test]
fn real_files_of_several_scans_or_pictures_are_read() {
    for file in [&include_bytes!("tests/progressive.jpg")[..], include_bytes!("tests/two_pictures.mpo")] {
        assert_eq!(read_by_image_crate(file), (64, 48));
        assert_eq!(read(file.chunks(7)), Ok(ImageHeader { kind: Jpeg, width: 64, height: 48 }));
    }
    let two = include_bytes!("tests/two_pictures.mpo");
    let end = memchr::memmem::find(two, END).unwrap();
    let spliced = [&two[..end], &two[end + 2..]].concat();
    assert_eq!(read([&spliced[..]]), Err(CorruptHeader), "without an end between them");
}

#[test]
fn a_jpegs_size_is_known_before_its_end_and_withdrawn_at_a_second_frame() {
    let mut reader = HeaderReader::new();
    let header = ImageHeader { kind: Jpeg, width: 9, height: 8 };
    assert_eq!(reader.feed(&jpeg(&[&frame(0xc0, 9, 8)[..], SCAN].concat())), Some(Ok(header)));
    assert_eq!(reader.feed(&[7; 100]), Some(Ok(header)));
    assert_eq!(reader.feed(&frame(0xc0, 9, 8)), Some(Err(CorruptHeader)));
    assert_eq!(reader.feed(END), Some(Err(CorruptHeader)), "for good");
    assert_eq!(reader.finish(), Err(CorruptHeader));
}

#[test]
fn a_pngs_chunks_are_looked_at_up_to_its_data() {
    for (what, chunks) in [
        ("its name inside another chunk", &[(b"tEXt", 40), (b"IDAT", 40), (b"IEND", 0)][..]),
        ("a chunk without data", &[(b"tEXt", 0), (b"IDAT", 1), (b"IEND", 0)]),
        ("behind its data", &[(b"IDAT", 9), (b"IHDR", 13), (b"IEND", 0)]),
        ("behind its end", &[(b"IEND", 0), (b"IHDR", 13)]),
        ("cut off", &[(b"tEXt", 3)]),
    ] {
        let (file, header) = (png_of(chunks), Ok(ImageHeader { kind: Png, width: 9, height: 8 }));
        assert_eq!(read([&file[..]]), header, "{what}");
        assert_eq!(read(file.chunks(1)), header, "{what}, byte by byte");
    }
}

fn kinds() -> impl Strategy<Value = ImageKind> {
    prop::sample::select(vec![Png, Jpeg, Webp, Bmp])
}

/// Encoded pictures and hand-made headers, some with a byte changed.
fn files() -> impl Strategy<Value = Vec<u8>> {
    let made = prop::sample::select(readable().into_iter().map(|row| row.1).collect::<Vec<_>>());
    let encoded = (kinds(), 1u32..40, 1u32..40).prop_map(|(kind, width, height)| encoded(kind, width, height));
    (prop_oneof![made, encoded], prop::option::of((0usize..48, any::<u8>()))).prop_map(|(mut file, change)| {
        if let Some((at, byte)) = change
            && let Some(place) = file.get_mut(at)
        {
            *place = byte;
        }
        file
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn sizes_are_those_that_the_image_crate_reads(
        kind in kinds(),
        width in 1u32..300,
        height in 1u32..300,
        icc in 0usize..200_000,
    ) {
        let mut file = encoded(kind, width, height);
        if kind == Jpeg {
            file = with_segments(&file, icc);
        }
        prop_assert_eq!(read_by_image_crate(&file), (width, height));
        prop_assert_eq!(read([&file[..]]), Ok(ImageHeader { kind, width, height }));
    }

    #[test]
    fn any_split_of_a_file_gives_the_same_header(
        file in files(),
        at in any::<prop::sample::Index>(),
        first in 1usize..60,
        second in 1usize..60,
    ) {
        let whole = read([&file[..]]);
        prop_assert_eq!(read(file.chunks(1)), whole);
        let (front, back) = file.split_at(at.index(file.len()));
        let pieces = front.chunks(first).chain(back.chunks(second));
        prop_assert_eq!(read(pieces), whole);
    }
}
