//! The checks of a picture's file as its bytes arrive, whichever parameter they come in.

use crate::domain::{
    form::{MAX_IMAGE, MAX_PIXELS},
    image_header::{CorruptHeader, HeaderReader, ImageHeader, ImageKind},
    order_fault::{FileRole, OrderFault},
};

/// Bytes from a file's start that show what kind it is of.
const SIGNATURE: usize = 16;

/// A picture's file but for its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureFile {
    /// What its header says.
    pub header: ImageHeader,
    /// Length in bytes.
    pub size: u64,
}

/// A file being received. It does not keep the bytes.
#[derive(Debug)]
pub struct FileCheck {
    role: FileRole,
    start: Vec<u8>,
    header: HeaderReader,
    size: u64,
}

impl FileCheck {
    /// A check of the file in this role.
    #[must_use]
    pub fn new(role: FileRole) -> Self {
        Self { role, start: Vec::with_capacity(SIGNATURE), header: HeaderReader::new(), size: 0 }
    }

    /// Takes the file's next bytes. Whether they are worth keeping: `false` once the file is known to be refused.
    pub fn take(&mut self, bytes: &[u8]) -> bool {
        self.size += bytes.len() as u64;
        let missing = SIGNATURE.saturating_sub(self.start.len()).min(bytes.len());
        self.start.extend_from_slice(&bytes[..missing]);
        self.size <= MAX_IMAGE && self.header.feed(bytes).is_none_or(|header| self.judge(header).is_ok())
    }

    /// The judgement, once all bytes were taken.
    pub fn finish(self) -> Result<PictureFile, OrderFault> {
        if self.size > MAX_IMAGE {
            return Err(OrderFault::FileTooLarge(self.role));
        }
        let header = self.judge(self.header.clone().finish())?;
        Ok(PictureFile { header, size: self.size })
    }

    fn judge(&self, header: Result<ImageHeader, CorruptHeader>) -> Result<ImageHeader, OrderFault> {
        let header = header.map_err(|CorruptHeader| match ImageKind::by_signature(&self.start) {
            Some(_) => OrderFault::InvalidDimensions(self.role),
            None => OrderFault::InvalidFileType(self.role),
        })?;
        let sides = [(header.width, "wide"), (header.height, "high")];
        match sides.into_iter().find(|(side, _)| *side > MAX_PIXELS) {
            Some((side, which)) => {
                Err(OrderFault::ResolutionTooHigh { found: format!("{side} pixels {which}"), most: MAX_PIXELS.into() })
            }
            None => Ok(header),
        }
    }
}
