//! Files in memory, as they are and gzipped.

use aws_lc_rs::digest;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use std::io::{self, Write as _};

/// Digits of a hash in an address or an `ETag`. Nobody forges our own files; hashes only must not meet by chance.
const DIGITS: usize = 16;

/// A file that is served as it is.
#[derive(Debug)]
pub struct File {
    /// For `Content-Type`.
    pub content_type: &'static str,
    hash: String,
    plain: Bytes,
    gzipped: Option<Bytes>,
}

impl File {
    /// A file of these bytes. It is gzipped too, if that makes it smaller by a tenth.
    #[must_use]
    pub(super) fn new(content_type: &'static str, bytes: impl Into<Bytes>) -> Self {
        let plain = bytes.into();
        let pays = |zipped: &Vec<u8>| zipped.len() < plain.len() / 10 * 9;
        let gzipped = gzip(&plain).ok().filter(pays).map(Bytes::from);
        Self { content_type, hash: hash(&plain), plain, gzipped }
    }

    /// Sixteen hexadecimal digits that change with the bytes.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The bytes as they are.
    #[must_use]
    pub fn plain(&self) -> &Bytes {
        &self.plain
    }

    /// The bytes to send with `Content-Encoding: gzip`, if that is worth it.
    #[must_use]
    pub fn gzipped(&self) -> Option<&Bytes> {
        self.gzipped.as_ref()
    }
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn hash(bytes: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, bytes);
    let digits = digest.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.take(DIGITS).filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}
