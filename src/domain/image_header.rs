//! The format and the size of a picture, read from the file's first bytes as they arrive.
//!
//! Nothing is buffered beyond `PREFIX` bytes. Every segment of a JPEG is looked at as it passes: the size may be behind
//! segments that are megabytes long, and must not be stated twice. The chunks of a PNG before its data are looked at
//! for the same reason.

mod bmp;
mod jpeg;
mod png;
#[cfg(test)]
mod tests;
mod webp;

/// The most bytes from the start of a file that PNG, WebP and BMP need.
const PREFIX: usize = 30;

/// The size and kind that a picture's header states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageHeader {
    /// By signature, not by name.
    pub kind: ImageKind,
    /// Pixels, at least 1.
    pub width: u32,
    /// Pixels, at least 1.
    pub height: u32,
}

/// The kinds of picture that the contract takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageKind {
    /// Portable Network Graphics.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP.
    Webp,
    /// Windows or OS/2 bitmap.
    Bmp,
}

impl ImageKind {
    /// The media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
            Self::Bmp => "image/bmp",
        }
    }

    /// A name for such a file.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Png => "image.png",
            Self::Jpeg => "image.jpg",
            Self::Webp => "image.webp",
            Self::Bmp => "image.bmp",
        }
    }

    /// The kind of a file by its first bytes, whatever follows them.
    #[must_use]
    pub fn by_signature(file: &[u8]) -> Option<Self> {
        match file {
            _ if file.starts_with(png::SIGNATURE) => Some(Self::Png),
            _ if file.starts_with(jpeg::SIGNATURE) => Some(Self::Jpeg),
            _ if webp::is_signature(file) => Some(Self::Webp),
            _ if file.starts_with(bmp::SIGNATURE) => Some(Self::Bmp),
            _ => None,
        }
    }
}

/// No known signature, or a known one whose size cannot be read or is zero (contract, section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no picture's header, or one without a usable size")]
pub struct CorruptHeader;

/// Reads a picture's header from a file that arrives in pieces of any length.
#[derive(Clone, Debug)]
pub struct HeaderReader {
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Prefix { bytes: [u8; PREFIX], length: usize },
    Jpeg(jpeg::Walker),
    Png(png::Walker),
    Done(Result<ImageHeader, CorruptHeader>),
}

/// The result of reading one format's header from the bytes so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    NotYet,
    Corrupt,
    Pixels { width: u32, height: u32 },
}

impl HeaderReader {
    /// A reader at the start of a file.
    #[must_use]
    pub fn new() -> Self {
        Self { state: State::Prefix { bytes: [0; PREFIX], length: 0 } }
    }

    /// Takes the next bytes of the file. `None` as long as no size is known. A file whose size is known may still prove
    /// corrupt.
    pub fn feed(&mut self, bytes: &[u8]) -> Option<Result<ImageHeader, CorruptHeader>> {
        match &mut self.state {
            State::Prefix { bytes: prefix, length } => {
                let (head, rest) = bytes.split_at(bytes.len().min(PREFIX - *length));
                prefix[*length..*length + head.len()].copy_from_slice(head);
                *length += head.len();
                self.state =
                    judge(&prefix[..*length], rest).unwrap_or(State::Prefix { bytes: *prefix, length: *length });
            }
            State::Jpeg(walker) => walker.feed(bytes),
            State::Png(walker) => walker.feed(bytes),
            State::Done(_) => {}
        }
        self.known()
    }

    /// The header, once the whole file has been fed: a file that ends inside its header has no readable size.
    pub fn finish(self) -> Result<ImageHeader, CorruptHeader> {
        self.known().unwrap_or(Err(CorruptHeader))
    }

    fn known(&self) -> Option<Result<ImageHeader, CorruptHeader>> {
        match &self.state {
            State::Prefix { .. } => None,
            State::Jpeg(walker) => outcome(ImageKind::Jpeg, walker.size()),
            State::Png(walker) => outcome(ImageKind::Png, walker.size()),
            State::Done(done) => Some(*done),
        }
    }
}

impl Default for HeaderReader {
    fn default() -> Self {
        Self::new()
    }
}

/// The result by the file's first bytes, and by the bytes after them where a walk begins; `None` if more are needed.
fn judge(prefix: &[u8], rest: &[u8]) -> Option<State> {
    if begins(prefix, jpeg::SIGNATURE) {
        let behind_signature = prefix.get(jpeg::SIGNATURE.len()..)?;
        let mut walker = jpeg::Walker::behind_signature();
        walker.feed(behind_signature);
        walker.feed(rest);
        return Some(State::Jpeg(walker));
    }
    if begins(prefix, png::SIGNATURE) {
        return match png::size(prefix) {
            Size::NotYet => None,
            size @ (Size::Corrupt | Size::Pixels { .. }) => {
                let mut walker = png::Walker::behind_size(size, prefix.len());
                walker.feed(rest);
                Some(State::Png(walker))
            }
        };
    }
    let (kind, size) = if begins(prefix, webp::SIGNATURE) {
        (ImageKind::Webp, webp::size(prefix))
    } else if begins(prefix, bmp::SIGNATURE) {
        (ImageKind::Bmp, bmp::size(prefix))
    } else {
        return Some(State::Done(Err(CorruptHeader)));
    };
    outcome(kind, size).map(State::Done)
}

/// Whether `file` starts with `signature`, or still can.
fn begins(file: &[u8], signature: &[u8]) -> bool {
    file.iter().zip(signature).all(|(have, want)| have == want)
}

fn outcome(kind: ImageKind, size: Size) -> Option<Result<ImageHeader, CorruptHeader>> {
    match size {
        Size::NotYet => None,
        Size::Corrupt | Size::Pixels { width: 0, .. } | Size::Pixels { height: 0, .. } => Some(Err(CorruptHeader)),
        Size::Pixels { width, height } => Some(Ok(ImageHeader { kind, width, height })),
    }
}

/// The `N` bytes at `offset`, if the file has come that far.
fn bytes_at<const N: usize>(file: &[u8], offset: usize) -> Option<[u8; N]> {
    file.get(offset..offset + N)?.try_into().ok()
}
