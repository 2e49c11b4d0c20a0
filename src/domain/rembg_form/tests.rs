//! Each parameter, in the form or in the query, and what is wrong with it.

use super::*;

const MODELS: [&str; 2] = ["u2net", "u2netp"];

fn models() -> Vec<String> {
    MODELS.map(str::to_owned).into()
}

fn png() -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR".to_vec();
    file.extend_from_slice(&[0, 0, 0, 4, 0, 0, 0, 3, 8, 6, 0, 0, 0, 0, 0, 0, 0]);
    file
}

fn read(query: &str, texts: &[(&str, &str)], file: Option<(&str, &[u8])>) -> Result<Removal, FormError> {
    let mut body = Vec::new();
    let mut part = |head: String, value: &[u8]| {
        body.extend_from_slice(format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n").as_bytes());
        body.extend_from_slice(value);
        body.extend_from_slice(b"\r\n");
    };
    if let Some((name, bytes)) = file {
        part(format!("name=\"file\"; filename=\"{name}\""), bytes);
    }
    for (name, value) in texts {
        part(format!("name=\"{name}\""), value.as_bytes());
    }
    body.extend_from_slice(b"--b--\r\n");
    let parameters = Parameters::of_query(query, &["key"]);
    let mut reader = RemovalReader::new(Some("multipart/form-data; boundary=b"), parameters);
    let mut image = Vec::new();
    for piece in body.chunks(11) {
        reader.push(Bytes::copy_from_slice(piece), &mut image)?;
    }
    let (part, removal) = reader.finish(&models())?;
    assert_eq!((part.header.width, image.concat()), (4, png()));
    Ok(removal)
}

/// The same parameter in the query and in the form.
fn both_ways(name: &str, value: &str) -> Result<Removal, FormError> {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
    let file = png();
    let in_form = read("", &[(name, value)], Some(("a.png", &file)));
    assert_eq!(read(&query, &[], Some(("a.png", &file))), in_form, "{name}={value}");
    in_form
}

fn output(name: &str, value: &str) -> Output {
    both_ways(name, value).unwrap().output
}

const PNG: Output = Output {
    format: OutputFormat::Png,
    w: None,
    h: None,
    exact_resize: false,
    mask: false,
    bg_color: None,
    angle: 0.0,
    expand: true,
};

#[test]
fn a_cut_out_a_mask_and_a_colour() {
    assert_eq!(output("om", ""), PNG);
    for (value, mask) in [("true", true), ("1", true), ("False", false), ("off", false)] {
        assert_eq!(output("om", value), Output { mask, ..PNG }, "{value}");
    }
    let colour = |r, g, b, a| Output { bg_color: Some(Rgba { r, g, b, a }), ..PNG };
    assert_eq!(output("bgc", "255,0,7,128"), colour(255, 0, 7, 128));
    assert_eq!(output("bgc", " 1, 2, 3, 255"), colour(1, 2, 3, 255));
    assert_eq!(output("bgc", "0,0,0,0"), PNG, "nothing is put behind it");
    let file = png();
    let both = read("om=true", &[("bgc", "1,2,3,4")], Some(("a.png", &file))).unwrap();
    assert_eq!((both.output, both.ignored), (Output { mask: true, ..PNG }, vec!["bgc".to_owned()]));
}

#[test]
fn accepted_models_and_parameters_that_mean_nothing() {
    for model in MODELS {
        assert_eq!(output("model", model), PNG);
    }
    let file = png();
    let removal = read("a=true&key=k&af=240", &[("ae", "10"), ("a", "x"), ("ppm", "1")], Some(("", &file))).unwrap();
    assert_eq!(removal.ignored, ["a", "af", "ae", "ppm"]);
}

#[test]
fn everything_that_is_wrong_is_told_and_no_value_is() {
    let wrong = |result: Result<Removal, FormError>| match result {
        Err(FormError::Invalid(complaints)) => complaints.iter().map(Complaint::message).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    for (name, value, message) in [
        ("model", "sam", "'model' must be one of the models that are accepted here."),
        ("om", "perhaps", "'om' must be true or false."),
        ("bgc", "1,2,3", "'bgc' must be four numbers from 0 to 255, such as 255,255,255,255."),
        ("bgc", "1,2,3,256", "'bgc' must be four numbers from 0 to 255, such as 255,255,255,255."),
        ("extras", "{}", "'extras' is not accepted here."),
    ] {
        assert_eq!(wrong(both_ways(name, value)), [message], "{name}={value}");
    }
    let missing = "No file was sent. Please include a 'file' field in your form data.";
    assert_eq!(wrong(read("", &[], None)), [missing]);
    assert_eq!(wrong(read("extras=x", &[("file", "a text")], None)), [missing, "'extras' is not accepted here."]);
    let empty = wrong(read("", &[], Some(("a.png", b""))));
    assert_eq!(empty, ["Uploaded file is empty (0 bytes)."]);
    let none = RemovalReader::new(None, Parameters::default()).finish(&models());
    assert_eq!(none.unwrap_err(), FormError::Invalid(vec![Complaint::MissingFile]));
    let broken = RemovalReader::new(Some("multipart/form-data; boundary=b"), Parameters::default());
    assert_eq!(broken.finish(&models()).unwrap_err(), FormError::Malformed);
}
