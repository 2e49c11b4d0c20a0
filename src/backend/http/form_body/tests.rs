//! Another parser reads the form that is sent: it has exactly the parts that were judged, whatever the caller sent.

use super::*;
use crate::{
    domain::{
        client_address::ClientAddress,
        form::{FormError, FormReader},
    },
    spool::{Budgets, DiskRules, Holder, Room},
};
use futures_util::stream;
use http_body_util::BodyExt as _;
use proptest::prelude::*;

const IMAGE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x03\0\0\0\x02\x08\x06\0\0\0";

/// A part of a form, as a reader finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Read {
    name: String,
    filename: Option<String>,
    content_type: Option<String>,
    value: Vec<u8>,
}

/// One part, as a sender may write it.
#[derive(Clone, Debug)]
struct Sent {
    name: String,
    filename: Option<String>,
    spelling: Spelling,
    value: Vec<u8>,
}

/// How the names in a part's head are written.
#[derive(Clone, Copy, Debug)]
enum Spelling {
    /// Between quotes, in UTF-8.
    Plain,
    /// As an encoded word; a filename as the extended one, too.
    Encoded,
    /// As it is, with a folded header.
    Folded,
}

impl Sent {
    fn text(name: &str, value: &[u8]) -> Self {
        Self { name: name.into(), filename: None, spelling: Spelling::Plain, value: value.into() }
    }

    fn file(name: &str, filename: &str, value: &[u8]) -> Self {
        Self { filename: Some(filename.into()), ..Self::text(name, value) }
    }

    fn written(&self) -> Vec<u8> {
        let word = |text: &str| {
            let bytes = text.bytes().map(|byte| format!("={byte:02X}")).collect::<Vec<_>>().concat();
            format!("\"=?UTF-8?Q?{bytes}?=\"")
        };
        let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let spelled = |text: &str| match self.spelling {
            Spelling::Plain | Spelling::Folded => quoted(text),
            Spelling::Encoded => word(text),
        };
        let between = if matches!(self.spelling, Spelling::Folded) { ";\r\n\t" } else { "; " };
        let mut disposition = vec!["form-data".into(), format!("name={}", spelled(&self.name))];
        if let Some(filename) = &self.filename {
            disposition.push(format!("filename={}", spelled(filename)));
            if matches!(self.spelling, Spelling::Encoded) {
                let bytes = filename.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
                disposition.push(format!("filename*=utf-8''{bytes}"));
            }
        }
        let head = format!(
            "--XX\r\nContent-Disposition: {}\r\nContent-Type: multipart/mixed; boundary=XX\r\n\r\n",
            disposition.join(between)
        );
        [head.as_bytes(), &self.value, b"\r\n"].concat()
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Reads the form, and reads with multer the form that is sent for it. A refused form is never sent.
fn sent_on(parts: &[Sent]) -> Result<Vec<Read>, FormError> {
    let (mut reader, mut pieces) = (FormReader::new(Some("multipart/form-data; boundary=XX")), Vec::new());
    let body = [parts.iter().flat_map(Sent::written).collect(), b"--XX--".to_vec()].concat();
    reader.push(Bytes::from(body), &mut pieces)?;
    let form = reader.finish()?;
    Ok(run(async {
        let most = 1 << 20;
        let rules = DiskRules { most, kept_for_answers: 0, max_answer: 0, per_client: most, per_account: most };
        let budgets = Budgets::new(most, rules);
        let holder = Holder { client: ClientAddress("192.0.2.1".into()), account: None };
        let mut room = Room::growing(&budgets, &holder, u64::MAX);
        for piece in pieces {
            room.write(piece).await.unwrap();
        }
        let sent = FormBody::of(&form, &Arc::new(room.finish())).unwrap();
        let content_type = sent.content_type().unwrap();
        let (_, boundary) = content_type.to_str().unwrap().split_once("boundary=").unwrap();
        let sent_whole = Arc::default();
        let body = sent.into_body(Arc::clone(&sent_whole));
        let length = body.size_hint().exact().unwrap();
        assert!(!sent_whole.load(Ordering::Acquire));
        let bytes = body.collect().await.unwrap().to_bytes();
        assert!(sent_whole.load(Ordering::Acquire));
        assert_eq!(bytes.len() as u64, length, "the length that is announced");
        by_multer(bytes, boundary.to_owned()).await
    }))
}

async fn by_multer(body: Bytes, boundary: String) -> Vec<Read> {
    let mut multipart = multer::Multipart::new(stream::iter([Ok::<_, io::Error>(body)]), boundary);
    let mut parts = Vec::new();
    while let Some(field) = multipart.next_field().await.unwrap() {
        parts.push(Read {
            name: field.name().unwrap().into(),
            filename: field.file_name().map(Into::into),
            content_type: field.headers().get("content-type").map(|kind| kind.to_str().unwrap().into()),
            value: field.bytes().await.unwrap().to_vec(),
        });
    }
    parts
}

fn text(name: &str, value: &[u8]) -> Read {
    Read { name: name.into(), filename: None, content_type: None, value: value.into() }
}

/// The image under this name.
fn image(filename: &str) -> Read {
    let filename = Some(filename.replace('"', "%22").replace('\\', "%5C"));
    Read { name: "image".into(), filename, content_type: Some("image/png".into()), value: IMAGE.into() }
}

#[test]
fn no_attack_reaches_the_service() {
    let cat = Sent::file("image", "cat.png", IMAGE);
    let larger = [&IMAGE[..16], b"\0\0\x4e\x20\0\0\x4e\x20\x08\x06\0\0\0"].concat();
    let second = |name: &str| Sent::file(name, "b.png", &larger);
    for (what, smuggled) in [
        ("a second image", second("image")),
        ("with a blank", second(" image")),
        ("as a list", second("image[]")),
        ("in capitals", second("Image")),
        ("with dots", second("i.m.a.g.e")),
        ("as a text", Sent::text("image", &larger)),
        ("as a text, with dots", Sent::text("i.m.a.g.e", &larger)),
        ("an angle with a blank", Sent::text("angle ", b"1e9")),
        ("an angle in capitals", Sent::text("ANGLE", b"1e9")),
        ("an angle that only looks like one", Sent::text("\u{430}ngle", b"1e9")),
        ("a colour with a dash", Sent::text("bg-color", b"red")),
        ("a quote and another name", Sent::text("x\"; name=\"w", b"1e9")),
        ("another file", Sent::file("other", "w", b"1e9")),
    ] {
        for parts in [[cat.clone(), smuggled.clone()], [smuggled.clone(), cat.clone()]] {
            if what == "a second image" && parts[1].filename.as_deref() == Some("cat.png") {
                assert!(matches!(sent_on(&parts), Err(FormError::Invalid(_))), "the first one is judged");
            } else {
                assert_eq!(sent_on(&parts), Ok(vec![image("cat.png")]), "{what}");
            }
        }
    }
    for (name, value) in [("w\u{85}", "1e9"), ("mask\u{9f}", "true"), ("angle\u{2029}", "1e9"), ("image\u{80}", "x")] {
        for spelling in [Spelling::Plain, Spelling::Encoded, Spelling::Folded] {
            for filename in [None, Some("b.png".to_owned())] {
                let part = Sent { filename, spelling, ..Sent::text(name, value.as_bytes()) };
                assert_eq!(sent_on(&[cat.clone(), part]), Err(FormError::Malformed), "{name:?}");
            }
        }
    }
    let coloured =
        [cat.clone(), Sent::text("mask", b"true"), Sent::text("mask", b"false"), Sent::text("bg_color", b"red")];
    assert!(matches!(sent_on(&coloured), Err(FormError::Invalid(_))));
}

#[test]
fn a_known_field_is_sent_as_a_text_of_the_judged_value() {
    let w = Sent::file("w", "w.txt", b" 5 ");
    let cat = Sent { spelling: Spelling::Folded, ..Sent::file("image", "C:\\a\\say \"cheese\".png", IMAGE) };
    let parts = [w, Sent::text("h", b"0"), cat, Sent::text("mask", b""), Sent::text("return_base64", b" x\r\n")];
    let name = "C:\\a\\say \"cheese\".png";
    let expected = vec![text("w", b"5"), text("h", b"0"), image(name), text("return_base64", b" x\r\n")];
    assert_eq!(sent_on(&parts), Ok(expected));
}

#[test]
fn characters_that_would_end_a_header_are_encoded_although_they_are_refused_before() {
    let mut out = BytesMut::new();
    put_quoted(&mut out, "a\r\nb\"\\\0\u{7f}\u{e8}");
    assert_eq!(out, "\"a%0D%0Ab%22%5C%00%7F\u{e8}\"".as_bytes());
}

const KNOWN: [(&str, &str); 8] = [
    ("w", " 5"),
    ("h", "0"),
    ("angle", "-3.5\t"),
    ("format", "PNG"),
    ("bg_color", "red\n"),
    ("mask", "no"),
    ("exact_resize", ""),
    ("expand", " off "),
];

fn names() -> impl Strategy<Value = String> {
    let known = prop::sample::select(KNOWN.map(|(name, _)| name).into_iter().chain(["image"]).collect::<Vec<_>>());
    let around = prop_oneof![Just(String::new()), any::<char>().prop_map(String::from), "[._ \\[\\]\"%;=-]{1,3}"];
    let disguised =
        (around.clone(), known.clone(), around, any::<bool>()).prop_map(|(before, name, behind, is_upper)| {
            let name = if is_upper { name.to_uppercase() } else { name.to_owned() };
            format!("{before}{name}{behind}")
        });
    prop_oneof![disguised, known.prop_map(String::from), any::<String>(), "[A-Za-z0-9_.-]{1,66}", "(?s).{0,6}"]
}

fn spellings() -> impl Strategy<Value = Spelling> {
    prop::sample::select(vec![Spelling::Plain, Spelling::Encoded, Spelling::Folded])
}

fn sent() -> impl Strategy<Value = Sent> {
    // Values of known fields are good ones, so that most forms are sent.
    let value = prop::collection::vec(any::<u8>(), 0..20);
    let filename = prop::option::weighted(0.3, any::<String>());
    (names(), filename, spellings(), value).prop_map(|(name, filename, spelling, value)| {
        let known = KNOWN.iter().find(|(known, _)| *known == name);
        let value = known.map_or(value, |(_, value)| value.as_bytes().to_vec());
        Sent { name, filename, spelling, value }
    })
}

/// Whether a value has the first bytes of a delimiter, which would be the sender's own mistake.
fn has_delimiter(parts: &[Sent]) -> bool {
    parts.iter().any(|part| memchr::memmem::find(&part.value, b"--XX").is_some())
}

fn is_hidden(text: &str) -> bool {
    text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
}

/// The parts that the contract, and not the code, says are sent of these. One of them is a good image.
fn expected(parts: &[Sent]) -> Result<Vec<Read>, FormError> {
    if parts.iter().any(|part| is_hidden(&part.name) || part.filename.as_deref().is_some_and(is_hidden)) {
        return Err(FormError::Malformed);
    }
    let fold = |name: &str| name.to_ascii_lowercase().replace(['_', '-', '.'], "");
    let (mut read, mut seen) = (Vec::new(), Vec::new());
    for part in parts {
        // A sender who writes `%22` has written a quote.
        let name = part.name.replace("%22", "\"");
        let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
        if name == "image" {
            if let Some(filename) = part.filename.as_ref().filter(|_| !seen.contains(&name)) {
                read.push(image(&filename.replace("%22", "\"")));
                seen.push(name);
            }
        } else if KNOWN.iter().any(|(known, _)| *known == name) {
            if !seen.contains(&name) {
                let value = part.value.trim_ascii();
                if !value.is_empty() {
                    read.push(text(&name, value));
                }
                seen.push(name);
            }
        } else if part.filename.is_none()
            && is_plain
            && (1..=64).contains(&name.len())
            && !KNOWN.iter().map(|(known, _)| *known).chain(["image"]).any(|known| fold(known) == fold(&name))
        {
            read.push(text(&name, &part.value));
        }
    }
    Ok(read)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    #[test]
    fn another_parser_finds_exactly_what_was_judged(
        before in prop::collection::vec(sent(), 0..4),
        stem in any::<String>(),
        spelling in spellings(),
        after in prop::collection::vec(sent(), 0..4),
    ) {
        // An image before this one would be judged instead.
        let is_text = |part: &Sent| part.name != "image" || part.filename.is_none();
        let before: Vec<_> = before.into_iter().filter(is_text).collect();
        let cat = Sent { spelling, ..Sent::file("image", &format!("{stem}.png"), IMAGE) };
        let parts = [&before[..], &[cat], &after].concat();
        prop_assume!(!has_delimiter(&parts));
        prop_assert_eq!(sent_on(&parts), expected(&parts));
    }
}
