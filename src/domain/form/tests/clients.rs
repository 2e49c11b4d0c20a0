//! Bodies as real clients send them: their order of parts, headers and boundaries.

use super::*;

/// Reads the body whole and byte by byte, and returns the form that both give.
fn form_of(boundary: &str, body: &[u8]) -> Form {
    let content_type = format!("multipart/form-data; boundary={boundary}");
    let (whole, kept) = read_pieces(Some(&content_type), [body]);
    let (bytewise, kept_bytewise) = read_pieces(Some(&content_type), body.chunks(1));
    assert_eq!(whole, bytewise, "the split changed the form");
    assert_eq!((&kept, &kept_bytewise), (&png(3, 2), &png(3, 2)), "the image's bytes changed");
    whole.unwrap()
}

fn body_of(boundary: &str, parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (head, data) in parts {
        body.extend([b"--", boundary.as_bytes(), b"\r\n", head.as_bytes(), b"\r\n\r\n", data, b"\r\n"].concat());
    }
    [&body[..], b"--", boundary.as_bytes(), b"--\r\n"].concat()
}

fn names(form: &Form) -> Vec<&str> {
    form.fields.iter().map(|field| field.name.as_str()).collect()
}

#[test]
fn the_official_sdk_sends_zero_for_sizes_that_were_not_asked_for() {
    let boundary = "--------------------------415012793406151232476013";
    let form = form_of(
        boundary,
        &body_of(
            boundary,
            &[
                (
                    "Content-Disposition: form-data; name=\"image\"; filename=\"image.png\"\r\nContent-Type: image/png",
                    &png(3, 2),
                ),
                ("Content-Disposition: form-data; name=\"exact_resize\"", b"false"),
                ("Content-Disposition: form-data; name=\"w\"", b"0"),
                ("Content-Disposition: form-data; name=\"h\"", b"0"),
                ("Content-Disposition: form-data; name=\"mask\"", b"false"),
                ("Content-Disposition: form-data; name=\"return_base64\"", b"false"),
                ("Content-Disposition: form-data; name=\"angle\"", b"90"),
                ("Content-Disposition: form-data; name=\"expand\"", b"true"),
                ("Content-Disposition: form-data; name=\"bg_color\"", b"red"),
                ("Content-Disposition: form-data; name=\"format\"", b"Png"),
            ],
        ),
    );
    assert_eq!((form.output.w, form.output.h, form.output.format), (None, None, OutputFormat::Png));
    assert_eq!(form.fields_before_image, 0);
    assert_eq!(
        names(&form),
        ["exact_resize", "w", "h", "mask", "return_base64", "angle", "expand", "bg_color", "format"]
    );
}

#[test]
fn aiohttp_puts_the_content_type_first_and_gives_texts_one_too() {
    let boundary = "b2b5a2a9a1f64c0f8f0e1e6bb2d4f5a7";
    let form = form_of(
        boundary,
        &body_of(
            boundary,
            &[
                ("Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=\"w\"", b"800"),
                (
                    "Content-Type: image/png\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"",
                    &png(3, 2),
                ),
            ],
        ),
    );
    assert_eq!((form.output.w, form.fields_before_image), (Some(800), 1));
    assert_eq!(names(&form), ["w"]);
}

#[test]
fn python_requests_sends_the_image_last() {
    let boundary = "0c8f3a8f8bb4a5d8a4e2d0f1b7c6e5d4";
    let form = form_of(
        boundary,
        &body_of(
            boundary,
            &[
                ("Content-Disposition: form-data; name=\"format\"", b"webp"),
                ("Content-Disposition: form-data; name=\"bg_color\"", b"#ffffffff"),
                ("Content-Disposition: form-data; name=\"image\"; filename=\"image.jpg\"", &png(3, 2)),
            ],
        ),
    );
    assert_eq!(form.fields_before_image, 2);
    assert_eq!(form.output.bg_color, Some(Rgba { r: 255, g: 255, b: 255, a: 255 }));
}

#[test]
fn browsers_name_a_blob_blob_and_escape_quotes_and_line_ends() {
    let boundary = "----WebKitFormBoundaryw8vF1yMFPT3d0sXe";
    for (sent, name) in [("blob", "blob"), ("a%22b%0D%0A.png", "a\"b%0D%0A.png")] {
        let head =
            format!("Content-Disposition: form-data; name=\"image\"; filename=\"{sent}\"\r\nContent-Type: image/png");
        let form = form_of(boundary, &body_of(boundary, &[(&head, &png(3, 2))]));
        assert_eq!(form.image.filename, name);
    }
}

/// The form that these libraries send for a picture in a file of this name.
#[test]
fn libraries_that_encode_file_names_are_understood() {
    let boundary = "----=_Part_0_1190524093.1764313200000";
    let image = "Content-Disposition: form-data; name=\"image\"";
    for (client, head, name) in [
        (
            "Spring's RestTemplate",
            format!(
                "{image}; filename=\"=?UTF-8?Q?photo.png?=\"; filename*=UTF-8''photo.png\r\nContent-Type: image/png\r\n\
                 Content-Length: 29"
            ),
            "photo.png",
        ),
        ("old Python requests", format!("{image}; filename*=utf-8''m%C3%A8o.png"), "mèo.png"),
        (
            ".NET's HttpClient",
            format!("{image}; filename=\"=?utf-8?B?bcOoby5wbmc=?=\"; filename*=utf-8''m%C3%A8o.png"),
            "mèo.png",
        ),
        (
            "JavaMail",
            "Content-Type: image/png; name=\"=?UTF-8?Q?m=C3=A8o.png?=\"\r\nContent-Transfer-Encoding: binary\r\n\
             Content-Disposition: form-data; name=\"image\"; \r\n\tfilename=\"=?UTF-8?Q?m=C3=A8o.png?=\""
                .into(),
            "mèo.png",
        ),
    ] {
        let form = form_of(boundary, &body_of(boundary, &[(&head, &png(3, 2))]));
        assert_eq!(form.image.filename, name, "{client}");
    }
}
