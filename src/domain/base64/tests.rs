//! Texts of any kind in pieces of any length.

use super::*;
use proptest::prelude::*;

/// Decodes the text in pieces of these lengths, the last of which is as long as the rest.
fn decoded(mut decoder: Decoder, text: &[u8], pieces: &[usize]) -> Result<Vec<u8>, NotBase64> {
    let (mut all, mut rest) = (Vec::new(), text);
    for length in pieces {
        let (piece, behind) = rest.split_at((*length).min(rest.len()));
        decoder.push(piece, &mut all)?;
        rest = behind;
    }
    decoder.push(rest, &mut all)?;
    decoder.finish(&mut all)?;
    Ok(all)
}

fn encoded(bytes: &[u8], pieces: &[usize]) -> String {
    let (mut encoder, mut text, mut rest) = (Encoder::default(), Vec::new(), bytes);
    for length in pieces {
        let (piece, behind) = rest.split_at((*length).min(rest.len()));
        text.extend(encoder.push(piece));
        rest = behind;
    }
    text.extend(encoder.push(rest));
    text.extend(encoder.finish());
    String::from_utf8(text).unwrap()
}

#[test]
fn known_texts_and_their_bytes() {
    // RFC 4648, section 10.
    for (bytes, text) in [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ] {
        assert_eq!(encoded(bytes.as_bytes(), &[]), text);
        assert_eq!(encoded_length(bytes.len() as u64), text.len() as u64);
        assert_eq!(decoded(Decoder::new(), text.as_bytes(), &[]), Ok(bytes.into()));
        let bare = text.trim_end_matches('=');
        assert_eq!(decoded(Decoder::new(), bare.as_bytes(), &[]), Ok(bytes.into()), "without padding");
    }
}

#[test]
fn texts_are_taken_as_clients_write_them() {
    for text in [
        "data:image/png;base64,+/+/",
        "DATA:;BASE64,+/+/",
        "-_-_",
        "+/\r\n+/\n",
        "  +/+/",
        " data:image/svg+xml;charset=utf-8;base64, +/+/",
    ] {
        assert_eq!(decoded(Decoder::new(), text.as_bytes(), &[]), Ok(vec![0xfb, 0xff, 0xbf]), "{text}");
    }
    assert_eq!(decoded(Decoder::of_form(), b"/ / ", &[]), Ok(vec![0xff, 0xef, 0xfe]), "a plus that was not escaped");
    for text in
        ["data:image/png,+/+/", "data", "dat!", "a", "ab=c", "a*bc", "data:image/png;base64", &"data:".repeat(40)]
    {
        let taken = decoded(Decoder::new(), text.as_bytes(), &[]);
        assert_eq!(taken.is_ok(), text == "data", "{text}: {taken:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_encoded_is_decoded_whatever_the_pieces(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        in_pieces in prop::collection::vec(0_usize..9, 0..40),
        out_pieces in prop::collection::vec(0_usize..9, 0..40),
        is_address in any::<bool>(),
    ) {
        let text = encoded(&bytes, &out_pieces);
        prop_assert_eq!(text.len() as u64, encoded_length(bytes.len() as u64));
        prop_assert_eq!(&text, &encoded(&bytes, &[]));
        let text = if is_address { format!("data:image/png;base64,{text}") } else { text };
        prop_assert_eq!(decoded(Decoder::new(), text.as_bytes(), &in_pieces), Ok(bytes));
    }

    #[test]
    fn pieces_make_no_difference_to_any_text(
        text in prop::collection::vec(prop::sample::select(b"data:;base64,AZ09+/-_= \n!".to_vec()), 0..60),
        pieces in prop::collection::vec(0_usize..5, 0..40),
    ) {
        prop_assert_eq!(decoded(Decoder::new(), &text, &pieces), decoded(Decoder::new(), &text, &[]));
    }
}
