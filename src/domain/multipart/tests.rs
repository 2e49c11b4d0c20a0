mod names;

use super::*;
use proptest::prelude::*;

const BOUNDARY: &str = "Bo-und";

#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    name: String,
    filename: Option<String>,
    content_type: Option<String>,
    data: Vec<u8>,
}

fn boundary() -> Boundary {
    Boundary::announced("multipart/form-data; boundary=Bo-und").unwrap().unwrap()
}

/// The parts of a body that arrives in these pieces.
fn parts<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Part>, Malformed> {
    let mut parser = Multipart::new(&boundary());
    let mut parts: Vec<Part> = Vec::new();
    for piece in pieces {
        parser.feed(Bytes::copy_from_slice(piece));
        while let Some(event) = parser.next_event()? {
            match event {
                Event::Part(PartHead { name, filename, content_type }) => {
                    parts.push(Part { name, filename, content_type, data: Vec::new() });
                }
                Event::Data(data) => parts.last_mut().unwrap().data.extend_from_slice(&data),
            }
        }
    }
    if parser.is_complete() { Ok(parts) } else { Err(Malformed) }
}

fn part(name: &str, data: &[u8]) -> Part {
    Part { name: name.into(), filename: None, content_type: None, data: data.into() }
}

fn written(parts: &[Part]) -> Vec<u8> {
    let mut body = Vec::new();
    for Part { name, filename, content_type, data } in parts {
        let filename = filename.as_ref().map_or_else(String::new, |name| format!("; filename=\"{name}\""));
        let content_type = content_type.as_ref().map_or_else(String::new, |kind| format!("Content-Type: {kind}\r\n"));
        let disposition = format!("Content-Disposition: form-data; name=\"{name}\"{filename}\r\n");
        body.extend(format!("--{BOUNDARY}\r\n{content_type}{disposition}\r\n").as_bytes());
        body.extend(data);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

/// One part with this head and no data.
fn head(head: &[u8]) -> Result<Part, Malformed> {
    let body = [b"--Bo-und\r\n", head, b"\r\n\r\n\r\n--Bo-und--"].concat();
    parts([&body[..]]).map(|mut parts| parts.remove(0))
}

#[test]
fn whatever_surrounds_the_parts_has_no_meaning() {
    let body = b"--Bo-und\r\nContent-Disposition: form-data; name=a\r\n\r\none\r\n--Bo-und--";
    for (before, after) in [("", ""), ("\r\n", "\r\n"), ("hello\r\n--Bo\r\n", "--Bo-und bye \n"), ("", "-")] {
        let body = [before.as_bytes(), body, after.as_bytes()].concat();
        assert_eq!(parts([&body[..]]), Ok(vec![part("a", b"one")]), "{before:?} {after:?}");
        assert_eq!(parts(body.chunks(1)), Ok(vec![part("a", b"one")]), "{before:?} {after:?} byte by byte");
    }
}

#[test]
fn a_delimiters_line_may_be_padded() {
    let body = b"--Bo-und \t\r\nContent-Disposition: form-data; name=a\r\n\r\none\r\n--Bo-und--  \r\n";
    assert_eq!(parts([&body[..]]), Ok(vec![part("a", b"one")]));
}

#[test]
fn a_form_may_have_no_parts() {
    assert_eq!(parts([&b"--Bo-und--\r\n"[..]]), Ok(vec![]));
}

#[test]
fn broken_framing_is_malformed_in_one_piece_and_byte_by_byte() {
    let disposition = "Content-Disposition: form-data; name=\"a\"";
    let good = format!("--Bo-und\r\n{disposition}\r\n\r\none\r\n--Bo-und--\r\n");
    assert!(parts([good.as_bytes()]).is_ok());
    for (what, body) in [
        ("nothing", String::new()),
        ("LF alone ends lines", good.replace("\r\n", "\n")),
        ("LF alone ends the delimiter", good.replacen("\r\n", "\n", 1)),
        ("LF alone ends a header", good.replace("\"a\"\r\n", "\"a\"\n")),
        ("CR inside a header", good.replace("\"a\"", "\"a\rb\"")),
        ("NUL inside a header", good.replace("\"a\"", "\"a\0b\"")),
        ("no last delimiter", good.replace("--Bo-und--\r\n", "")),
        ("half a last delimiter", good.replace("--Bo-und--\r\n", "--Bo-und-")),
        ("one dash and something else", good.replace("--Bo-und--\r\n", "--Bo-und-x\r\n")),
        ("another boundary", good.replace("Bo-und", "Bo_und")),
        ("a longer boundary", good.replace("--Bo-und\r\n", "--Bo-under\r\n")),
        ("the end inside a head", good.replace("\r\n\r\none", "")),
        ("no disposition", good.replace("Content-Disposition", "Content-Position")),
        ("no name", good.replace("name=", "game=")),
        ("a name of the other kind alone", good.replace("name=\"a\"", "name*=UTF-8''a")),
        ("no form data", good.replace("form-data", "attachment")),
        ("a quote that does not end", good.replace("\"a\"", "\"a")),
        ("a header without a colon", good.replace("\r\n\r\n", "\r\nhello\r\n\r\n")),
        ("a fold of nothing", good.replace("Bo-und\r\nContent", "Bo-und\r\n Content")),
        ("a space before the colon", good.replace("Disposition:", "Disposition :")),
        ("a nameless header", good.replace("\r\n\r\n", "\r\n: x\r\n\r\n")),
    ] {
        assert_eq!(parts([body.as_bytes()]), Err(Malformed), "{what}");
        assert_eq!(parts(body.as_bytes().chunks(1)), Err(Malformed), "{what}, byte by byte");
    }
}

#[test]
fn what_a_sender_could_make_grow_is_bounded() {
    let many = |count| written(&vec![part("a", b""); count]);
    let preamble = |length: usize| [vec![b'x'; length], b"\r\n--Bo-und--".to_vec()].concat();
    let disposition = b"Content-Disposition: form-data; name=a";
    let lines = |count| head(&[&b"X: y\r\n".repeat(count - 1)[..], disposition].concat());
    // The head's bytes beside the padding: the delimiter's line end, "X: ", three more line ends.
    let long = |length: usize| head(&[b"X: ", &vec![b'y'; length - 49][..], b"\r\n", disposition].concat());

    assert_eq!(parts([&many(MAX_PARTS)[..]]).unwrap().len(), MAX_PARTS);
    assert_eq!(parts([&many(MAX_PARTS + 1)[..]]), Err(Malformed), "parts");
    // The line end that precedes a delimiter is no part of the preamble; the one implied before the body is.
    assert!(parts([&preamble(MAX_PREAMBLE - 2)[..]]).is_ok());
    assert_eq!(parts([&preamble(MAX_PREAMBLE - 1)[..]]), Err(Malformed), "preamble");
    assert!(lines(MAX_HEAD_LINES).is_ok());
    assert_eq!(lines(MAX_HEAD_LINES + 1), Err(Malformed), "lines of a head");
    let folded = |folds| head(&[&disposition[..], &b"\r\n x".repeat(folds)].concat());
    assert!(folded(MAX_HEAD_LINES - 1).is_ok());
    assert_eq!(folded(MAX_HEAD_LINES), Err(Malformed), "folds of a header");
    assert!(long(MAX_HEAD).is_ok());
    assert_eq!(long(MAX_HEAD + 1), Err(Malformed), "bytes of a head");
}

#[test]
fn data_is_handed_on_without_a_copy() {
    let body = Bytes::from(written(&[part("a", &[7; 1000])]));
    let mut parser = Multipart::new(&boundary());
    parser.feed(body.clone());
    let events: Vec<_> = std::iter::from_fn(|| parser.next_event().unwrap()).collect();
    let [Event::Part(_), Event::Data(data)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(data.len(), 1000);
    assert!(body.as_ptr_range().contains(&data.as_ptr()), "the data was copied");
}

#[test]
fn headers_come_in_any_order_and_case_and_the_first_one_counts() {
    let expected = Part { content_type: Some("text/plain; charset=utf-8".into()), ..part("a", b"") };
    for sent in [
        "Content-Disposition: form-data; name=\"a\"\r\nContent-Type: text/plain; charset=utf-8",
        "Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=\"a\"",
        "CONTENT-type:text/plain; charset=utf-8 \r\nX-Other: 1\r\ncontent-DISPOSITION:Form-Data;NAME=a",
        "Content-Type: text/plain; charset=utf-8\r\nContent-Type: b/c\r\nContent-Disposition: form-data; name=a\r\n\
         Content-Disposition: form-data; name=b",
    ] {
        assert_eq!(head(sent.as_bytes()), Ok(expected.clone()), "{sent}");
    }
}

#[test]
fn the_boundary_is_read_from_the_content_type() {
    let longest = "b".repeat(MAX_BOUNDARY);
    for (content_type, boundary) in [
        ("multipart/form-data; boundary=abc", "abc"),
        ("Multipart/Form-Data;charset=utf-8;BOUNDARY=abc; x=y", "abc"),
        ("multipart/form-data; boundary=\"a b;c\\\"d\"", "a b;c\"d"),
        ("multipart/form-data; boundary=----=_Part_0_12:34/5", "----=_Part_0_12:34/5"),
        (&format!("multipart/form-data; boundary={longest}"), &longest),
    ] {
        let read = Boundary::announced(content_type).unwrap().unwrap();
        assert_eq!(read.as_bytes(), boundary.as_bytes(), "{content_type}");
    }
    for content_type in
        ["", "text/plain; boundary=abc", "multipart/mixed; boundary=abc", "multipart/form-dataX; boundary=a"]
    {
        assert_eq!(Boundary::announced(content_type), Ok(None), "{content_type}");
    }
    for content_type in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        "multipart/form-data; boundary=\"abc ",
        "multipart/form-data; boundary=\"abc \"",
        "multipart/form-data; boundary=\"a\rb\"",
        "multipart/form-data; boundary=mèo",
        &format!("multipart/form-data; boundary={longest}b"),
    ] {
        assert_eq!(Boundary::announced(content_type), Err(Malformed), "{content_type}");
    }
}

/// Data that keeps looking like a delimiter and never is one.
fn data() -> impl Strategy<Value = Vec<u8>> {
    const BAIT: [&str; 11] =
        ["\r", "\n", "\r\n", "\r\n-", "\r\n--", "\r\n--B", "\r\n--Bo-un", "Bo-und", "--Bo-und--", "-", "\r\r\n--Bo"];
    let piece = prop_oneof![
        prop::sample::select(&BAIT[..]).prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop::collection::vec(piece, 0..12)
        .prop_map(|pieces| pieces.concat())
        .prop_filter("has a delimiter in it", |data| memchr::memmem::find(data, b"\r\n--Bo-und").is_none())
}

fn forms() -> impl Strategy<Value = Vec<Part>> {
    let name = "[a-z_]{1,12}";
    let filename = prop::option::of("[a-zA-Z0-9 ._;=-]{0,20}");
    let content_type = prop::option::of(prop::sample::select(vec!["image/png", "text/plain; charset=utf-8"]));
    let part = (name, filename, content_type, data()).prop_map(|(name, filename, content_type, data)| Part {
        name,
        filename,
        content_type: content_type.map(Into::into),
        data,
    });
    prop::collection::vec(part, 0..6)
}

async fn parts_by_multer(body: Vec<u8>) -> Vec<Part> {
    let whole = futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from(body))]);
    let mut multipart = multer::Multipart::new(whole, BOUNDARY);
    let mut parts = Vec::new();
    while let Some(field) = multipart.next_field().await.unwrap() {
        parts.push(Part {
            name: field.name().unwrap().into(),
            filename: field.file_name().map(Into::into),
            content_type: field.content_type().map(ToString::to_string),
            data: field.bytes().await.unwrap().to_vec(),
        });
    }
    parts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_split_of_the_bytes_gives_the_same_parts(
        form in forms(),
        at in any::<prop::sample::Index>(),
        first in 1usize..60,
        second in 1usize..60,
    ) {
        let body = written(&form);
        prop_assert_eq!(parts([&body[..]]), Ok(form.clone()));
        prop_assert_eq!(parts(body.chunks(1)), Ok(form.clone()));
        let (front, back) = body.split_at(at.index(body.len()));
        let pieces = front.chunks(first).chain(back.chunks(second));
        prop_assert_eq!(parts(pieces), Ok(form));
    }

    #[test]
    fn multer_reads_the_same_parts(form in forms()) {
        let body = written(&form);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let theirs = runtime.block_on(parts_by_multer(body.clone()));
        prop_assert_eq!(parts([&body[..]]), Ok(theirs));
    }

    #[test]
    fn no_body_is_read_differently_for_its_split(
        form in forms(),
        at in any::<prop::sample::Index>(),
        byte in prop::sample::select(&b"\r\n-:;\"\\ B\0x"[..]),
        piece in 1usize..9,
    ) {
        let mut body = written(&form);
        let at = at.index(body.len());
        body[at] = byte;
        prop_assert_eq!(parts(body.chunks(piece)), parts([&body[..]]));
    }
}
