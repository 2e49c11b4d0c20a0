//! The checks of the `image` part, in the contract's order, as its bytes arrive.

use super::{ImagePart, MAX_IMAGE, MAX_PIXELS};
use crate::domain::{
    complaint::Complaint,
    image_header::{CorruptHeader, HeaderReader, ImageHeader},
};

/// The endings that a filename may have, in any case.
const EXTENSIONS: [&str; 5] = ["webp", "bmp", "png", "jpg", "jpeg"];

/// An `image` part being received. It does not keep the bytes.
#[derive(Debug)]
pub struct ImageCheck {
    filename: String,
    misnamed: Option<Complaint>,
    header: HeaderReader,
    size: u64,
}

impl ImageCheck {
    /// A check of a file of this name, which has no control character.
    #[must_use]
    pub fn new(filename: String) -> Self {
        Self { misnamed: name_complaint(&filename), filename, header: HeaderReader::new(), size: 0 }
    }

    /// Takes the part's next bytes. Returns whether they are worth keeping: `false` once the image is known to be
    /// refused.
    pub fn take(&mut self, bytes: &[u8]) -> bool {
        self.size += bytes.len() as u64;
        if self.misnamed.is_some() || self.size > MAX_IMAGE {
            return false;
        }
        self.header.feed(bytes).is_none_or(|header| header_complaints(header).is_empty())
    }

    /// The judgement, once all bytes were taken: the first check that fails, or both width and height.
    pub fn finish(self) -> Result<ImagePart, Vec<Complaint>> {
        if let Some(complaint) = self.misnamed {
            return Err(vec![complaint]);
        }
        if self.size == 0 {
            return Err(vec![Complaint::EmptyFile]);
        }
        if self.size > MAX_IMAGE {
            return Err(vec![Complaint::FileTooLarge(self.size)]);
        }
        let read = self.header.finish();
        match read {
            Ok(header) if header_complaints(read).is_empty() => {
                Ok(ImagePart { filename: self.filename, header, size: self.size })
            }
            _ => Err(header_complaints(read)),
        }
    }
}

fn name_complaint(filename: &str) -> Option<Complaint> {
    if filename.is_empty() {
        return Some(Complaint::NoFileSelected);
    }
    let extension = extension(filename)?;
    let known = EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known));
    (!known).then(|| Complaint::UnsupportedType(format!(".{extension}")))
}

/// The text after the last dot in the last segment of a path, Unix's or Windows's. Systems drop dots and spaces at the
/// end of a name, and open `x.exe.` as `x.exe`.
fn extension(filename: &str) -> Option<&str> {
    let name = filename.trim_end_matches(['.', ' ', '/', '\\']).rsplit(['/', '\\']).next()?;
    name.rsplit_once('.').map(|(_, extension)| extension)
}

fn header_complaints(header: Result<ImageHeader, CorruptHeader>) -> Vec<Complaint> {
    let Ok(ImageHeader { width, height, .. }) = header else { return vec![Complaint::CorruptImage] };
    let too_wide = (width > MAX_PIXELS).then_some(Complaint::TooWide(width));
    let too_tall = (height > MAX_PIXELS).then_some(Complaint::TooTall(height));
    too_wide.into_iter().chain(too_tall).collect()
}
