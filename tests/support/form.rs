//! Forms as clients send them.

/// A multipart form under construction.
#[derive(Clone, Debug)]
pub struct Form {
    parts: Vec<Vec<u8>>,
}

pub const BOUNDARY: &str = "----a-boundary-of-the-tests";

impl Form {
    pub fn empty() -> Self {
        Self { parts: Vec::new() }
    }

    /// The ordinary upload: a small PNG, nothing else.
    pub fn with_picture() -> Self {
        Self::empty().image("cat.png", &png(4, 3))
    }

    pub fn image(self, filename: &str, bytes: &[u8]) -> Self {
        let head = format!(
            "Content-Disposition: form-data; name=\"image\"; filename=\"{filename}\"\r\nContent-Type: image/png\r\n\r\n"
        );
        self.part(&head, bytes)
    }

    pub fn text(self, name: &str, value: &str) -> Self {
        self.part(&format!("Content-Disposition: form-data; name=\"{name}\"\r\n\r\n"), value.as_bytes())
    }

    /// A part with this head, its empty last line included.
    pub fn part(mut self, head: &str, bytes: &[u8]) -> Self {
        let mut part = head.as_bytes().to_vec();
        part.extend_from_slice(bytes);
        self.parts.push(part);
        self
    }

    pub fn body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for part in &self.parts {
            body.extend_from_slice(format!("--{BOUNDARY}\r\n").as_bytes());
            body.extend_from_slice(part);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        body
    }

    pub fn content_type() -> String {
        format!("multipart/form-data; boundary={BOUNDARY}")
    }
}

/// A real PNG of one colour.
pub fn png(width: u32, height: u32) -> Vec<u8> {
    let mut out = std::io::Cursor::new(Vec::new());
    image::RgbaImage::from_pixel(width, height, image::Rgba([200, 30, 30, 255]))
        .write_to(&mut out, image::ImageFormat::Png)
        .unwrap();
    out.into_inner()
}

/// The first bytes of a PNG that claims these dimensions: enough for every check, and small.
pub fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR".to_vec();
    bytes.extend_from_slice(&width.to_be_bytes());
    bytes.extend_from_slice(&height.to_be_bytes());
    bytes.extend_from_slice(&[8, 6, 0, 0, 0, 0, 0, 0, 0]);
    bytes
}
