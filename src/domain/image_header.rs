//! What kind of picture a file is and how large, read from its first bytes as they arrive.

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
