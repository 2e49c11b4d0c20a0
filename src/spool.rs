//! Whole bodies: in memory first, then in an unnamed temporary file, each under a process-wide budget.
//!
//! The file has no name, so it is gone however the process ends, kill -9 included.

mod budget;
mod disk;
mod pixels;
#[cfg(test)]
mod tests;

pub use budget::{Budget, Share};
pub use disk::{Disk, DiskRules, DiskShare, Holder, Shortfall};
pub use pixels::{PixelClaim, PixelMemory};

use crate::domain::client_address::ClientAddress;
use bytes::{Bytes, BytesMut};
use std::{fs::File, io, ops::RangeInclusive, os::unix::fs::FileExt as _, sync::Arc};

/// The most bytes of one body that are in memory; the rest goes to its file.
pub const MEMORY_PER_BODY: u64 = 1024 * 1024;

/// Bytes in memory are copied into buffers of this size; the first ones are smaller. The connection's own buffers can
/// be twice as large as the bytes in them, or a thousand times if a client sends little at once, and no budget would
/// count that.
const BUFFERS: RangeInclusive<u64> = 4 * 1024..=64 * 1024;

/// How much of a file is read at once.
const READ_PIECE: u64 = 256 * 1024;

/// The process-wide budgets for bodies, shared by all requests.
#[derive(Clone, Debug)]
pub struct Budgets {
    /// Bytes in memory. When it is exhausted, bodies go to their files sooner.
    pub memory: Arc<Budget>,
    /// Bytes in temporary files. When it is exhausted, uploads are refused and answers wait.
    pub disk: Arc<Disk>,
    /// Memory for the pixels of pictures that are finished here.
    pub pixels: Arc<PixelMemory>,
}

impl Budgets {
    /// Budgets of this many bytes of memory, and of file space by these rules.
    #[must_use]
    pub fn new(memory: u64, disk: DiskRules) -> Self {
        Self { memory: Budget::new(memory), disk: Disk::new(disk), pixels: PixelMemory::new(0) }
    }

    /// The same with so many bytes for pixels.
    #[must_use]
    pub fn with_pixels(self, most: u64) -> Self {
        Self { pixels: PixelMemory::new(most), ..self }
    }
}

/// Why a body could not be held.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// A budget is exhausted: 503, not growth.
    #[error("body budget exhausted")]
    NoRoom,
    /// The body is longer than was agreed.
    #[error("body longer than {0} bytes")]
    TooLong(u64),
    /// The temporary file failed, for instance because the disk is full.
    #[error("temporary file: {0}")]
    File(#[from] io::Error),
}

/// Space for one body, to be filled.
#[derive(Debug)]
pub struct Room {
    most: u64,
    memory: Share,
    disk: DiskShare,
    file: Option<Arc<File>>,
    in_file: u64,
    tail: Vec<Bytes>,
    filling: BytesMut,
    in_memory: u64,
}

impl Room {
    /// Space for an upload of up to `most` bytes. It takes from the budgets as it is filled.
    #[must_use]
    pub fn growing(budgets: &Budgets, holder: &Holder, most: u64) -> Self {
        Self::with_disk(budgets, most, budgets.disk.upload(holder))
    }

    /// Space for an answer of up to `most` bytes, with the disk space that it has already. Filling it waits for the
    /// rest and never fails for lack of it.
    #[must_use]
    pub fn with_disk(budgets: &Budgets, most: u64, disk: DiskShare) -> Self {
        Self {
            most,
            memory: budgets.memory.nothing(),
            disk,
            file: None,
            in_file: 0,
            tail: Vec::new(),
            filling: BytesMut::new(),
            in_memory: 0,
        }
    }

    /// Adjusts the space once the body's length is known: takes the bytes that are missing, or gives back the ones that
    /// are too many.
    pub async fn expect(&mut self, length: u64) -> Result<(), SpoolError> {
        if length > self.most {
            return Err(SpoolError::TooLong(self.most));
        }
        self.disk.shrink_to(length);
        if self.disk.grow(length).await { Ok(()) } else { Err(SpoolError::NoRoom) }
    }

    /// Bytes written so far.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.in_memory + self.in_file
    }

    /// Whether nothing has been written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends a piece.
    pub async fn write(&mut self, piece: Bytes) -> Result<(), SpoolError> {
        let length = piece.len() as u64;
        if self.len() + length > self.most {
            return Err(SpoolError::TooLong(self.most));
        }
        let in_memory = self.in_memory + length;
        if in_memory <= MEMORY_PER_BODY && self.memory.grow_to(in_memory) {
            self.remember(&piece);
            return Ok(());
        }
        self.spill(piece).await
    }

    /// The complete body. Unused reservations go back to the budgets.
    #[must_use]
    pub fn finish(mut self) -> Spooled {
        self.seal();
        self.memory.shrink_to(self.in_memory);
        self.disk.settle(self.in_file);
        Spooled {
            file: self.file,
            in_file: self.in_file,
            tail: self.tail,
            in_memory: self.in_memory,
            _memory: self.memory,
            disk: self.disk,
        }
    }

    fn remember(&mut self, mut piece: &[u8]) {
        self.in_memory += piece.len() as u64;
        while !piece.is_empty() {
            let space = self.filling.capacity() - self.filling.len();
            if space == 0 {
                self.seal();
                let size = self.in_memory.clamp(*BUFFERS.start(), *BUFFERS.end());
                self.filling = BytesMut::with_capacity(usize::try_from(size).unwrap_or(usize::MAX));
                continue;
            }
            let (fits, rest) = piece.split_at(space.min(piece.len()));
            self.filling.extend_from_slice(fits);
            piece = rest;
        }
    }

    fn seal(&mut self) {
        if !self.filling.is_empty() {
            self.tail.push(std::mem::take(&mut self.filling).freeze());
        }
    }

    /// Moves everything in memory to the end of the file, and the piece after it.
    async fn spill(&mut self, piece: Bytes) -> Result<(), SpoolError> {
        self.seal();
        let in_file = self.in_file + self.in_memory + piece.len() as u64;
        if !self.disk.grow(in_file.max(self.disk.size())).await {
            return Err(SpoolError::NoRoom);
        }
        let (file, mut pieces, mut offset) = (self.file.clone(), std::mem::take(&mut self.tail), self.in_file);
        pieces.push(piece);
        let file = blocking(move || {
            let file = match file {
                Some(file) => file,
                None => Arc::new(tempfile::tempfile()?),
            };
            for piece in pieces {
                file.write_all_at(&piece, offset)?;
                offset += piece.len() as u64;
            }
            Ok(file)
        })
        .await?;
        self.file = Some(file);
        self.in_file = in_file;
        self.in_memory = 0;
        self.memory.shrink_to(0);
        Ok(())
    }
}

/// A complete body: the file's bytes come first, then those in memory.
#[derive(Debug)]
pub struct Spooled {
    file: Option<Arc<File>>,
    in_file: u64,
    tail: Vec<Bytes>,
    in_memory: u64,
    _memory: Share,
    disk: DiskShare,
}

/// The space that a whole body takes from others.
#[derive(Clone, Debug)]
pub struct Claim {
    disk: Arc<Disk>,
    client: ClientAddress,
}

impl Claim {
    /// Whether others need the space: much of the file space is taken, and no client holds more than this body's.
    #[must_use]
    pub fn must_hurry(&self) -> bool {
        self.disk.must_hurry(&self.client)
    }
}

impl Spooled {
    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.in_memory + self.in_file
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The space that it takes from others.
    #[must_use]
    pub fn claim(&self) -> Claim {
        Claim { disk: Arc::clone(self.disk.disk()), client: self.disk.client().clone() }
    }

    /// A piece of the body that starts at `offset`; `None` at the end.
    pub async fn piece_at(&self, offset: u64) -> io::Result<Option<Bytes>> {
        match &self.file {
            Some(file) if offset < self.in_file => {
                self.piece_of_file(Arc::clone(file), offset, READ_PIECE).await.map(Some)
            }
            _ => Ok(self.in_memory_at(offset)),
        }
    }

    /// The same, if it is in memory; `None` if it is not.
    #[must_use]
    pub fn in_memory_at(&self, offset: u64) -> Option<Bytes> {
        let mut skip = usize::try_from(offset.checked_sub(self.in_file)?).ok()?;
        for piece in &self.tail {
            if skip < piece.len() {
                return Some(piece.slice(skip..));
            }
            skip -= piece.len();
        }
        None
    }

    /// The first bytes of the body, `most` of them if it has so many.
    pub async fn beginning(&self, most: usize) -> io::Result<Vec<u8>> {
        let mut beginning = Vec::new();
        while beginning.len() < most {
            let offset = beginning.len() as u64;
            let piece = match &self.file {
                Some(file) if offset < self.in_file => {
                    Some(self.piece_of_file(Arc::clone(file), offset, (most - beginning.len()) as u64).await?)
                }
                _ => self.piece_at(offset).await?,
            };
            let Some(piece) = piece else { break };
            beginning.extend_from_slice(&piece[..piece.len().min(most - beginning.len())]);
        }
        Ok(beginning)
    }

    /// The whole body in one allocation, for a backend that works on it in this process.
    pub async fn to_vec(&self) -> io::Result<Vec<u8>> {
        let mut whole = Vec::with_capacity(usize::try_from(self.len()).map_err(io::Error::other)?);
        while let Some(piece) = self.piece_at(whole.len() as u64).await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    }

    async fn piece_of_file(&self, file: Arc<File>, offset: u64, most: u64) -> io::Result<Bytes> {
        let length = (self.in_file - offset).min(most);
        let length = usize::try_from(length).map_err(io::Error::other)?;
        blocking(move || {
            let mut piece = vec![0; length];
            file.read_exact_at(&mut piece, offset)?;
            Ok(Bytes::from(piece))
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
