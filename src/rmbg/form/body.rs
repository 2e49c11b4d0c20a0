//! The body of a request, read as it arrives; the files in it go to the spool.

use crate::{
    domain::{
        form::{Form, FormError, FormReader, ImagePart, MAX_IMAGE},
        order_fault::FileRole,
        refusal::{Refusal, Shortage},
        rembg_form::{Removal, RemovalReader},
        removebg::{Order, OrderError, OrderReader, Piece},
    },
    rmbg::{Rmbg, Stop, unavailable, upload::Upload},
    spool::{Budgets, Holder, Room, SpoolError, Spooled},
};
use bytes::Bytes;
use std::{error::Error, io};
use tokio::time::{Instant, timeout_at};

/// A reader of one dialect's bodies.
pub(super) trait BodyReader {
    /// What a body says.
    type Read;
    /// Bytes of a file in it.
    type FilePiece: Into<Piece>;

    /// Takes the next bytes and appends to `files` those that are of files.
    fn push(&mut self, chunk: Bytes, files: &mut Vec<Self::FilePiece>) -> Result<(), Refusal>;

    /// What the whole body says.
    fn finish(self, files: &mut Vec<Self::FilePiece>) -> Result<Self::Read, Refusal>;
}

/// Room for the files of one request.
pub(super) struct Files {
    image: Room,
    background: Room,
}

impl Files {
    pub(super) fn new(budgets: &Budgets, holder: &Holder) -> Self {
        let room = || Room::growing(budgets, holder, MAX_IMAGE);
        Self { image: room(), background: room() }
    }

    pub(super) async fn write(&mut self, piece: impl Into<Piece>) -> Result<(), Stop> {
        let Piece { role, bytes } = piece.into();
        let room = match role {
            FileRole::Image => &mut self.image,
            FileRole::Background => &mut self.background,
        };
        room.write(bytes).await.map_err(|error| stop_for(&error))
    }

    /// The picture and the background, each empty if there is none.
    pub(super) fn finish(self) -> (Spooled, Spooled) {
        (self.image.finish(), self.background.finish())
    }
}

/// Reads the whole body, until the deadline or until it is too slow.
pub(super) async fn read<R: BodyReader>(
    rmbg: &Rmbg,
    upload: &mut Upload,
    (holder, deadline): (&Holder, Instant),
    mut reader: R,
) -> Result<(R::Read, Files), Stop> {
    let mut files = Files::new(&rmbg.budgets, holder);
    let mut pieces = Vec::new();
    let (begun, mut received) = (Instant::now(), 0);
    loop {
        let next_by = deadline.min(begun + rmbg.rules.upload_rate.time_for(received));
        let Some(bytes) = timeout_at(next_by, upload.next()).await.map_err(|_| too_slow())? else { break };
        let bytes = bytes.map_err(|error| broken_off(&error))?;
        received += bytes.len() as u64;
        reader.push(bytes, &mut pieces)?;
        for piece in pieces.drain(..) {
            files.write(piece).await?;
        }
    }
    let read = reader.finish(&mut pieces)?;
    for piece in pieces {
        files.write(piece).await?;
    }
    Ok((read, files))
}

impl BodyReader for FormReader {
    type Read = Form;
    type FilePiece = Bytes;

    fn push(&mut self, chunk: Bytes, image: &mut Vec<Bytes>) -> Result<(), Refusal> {
        Self::push(self, chunk, image).map_err(refusal)
    }

    fn finish(self, _: &mut Vec<Bytes>) -> Result<Form, Refusal> {
        Self::finish(self).map_err(refusal)
    }
}

impl BodyReader for OrderReader {
    type Read = Order;
    type FilePiece = Piece;

    fn push(&mut self, chunk: Bytes, files: &mut Vec<Piece>) -> Result<(), Refusal> {
        Self::push(self, chunk, files).map_err(order_refusal)
    }

    fn finish(self, files: &mut Vec<Piece>) -> Result<Order, Refusal> {
        Self::finish(self, files).map_err(order_refusal)
    }
}

/// A reader, and the models that are accepted.
impl BodyReader for (RemovalReader, &[String]) {
    type Read = (ImagePart, Removal);
    type FilePiece = Bytes;

    fn push(&mut self, chunk: Bytes, image: &mut Vec<Bytes>) -> Result<(), Refusal> {
        self.0.push(chunk, image).map_err(refusal)
    }

    fn finish(self, _: &mut Vec<Bytes>) -> Result<Self::Read, Refusal> {
        self.0.finish(self.1).map_err(refusal)
    }
}

/// In a form with one file, that is the image.
impl From<Bytes> for Piece {
    fn from(bytes: Bytes) -> Self {
        Self { role: FileRole::Image, bytes }
    }
}

/// The error if the connection ended before the body did, or the body's framing is broken.
fn broken_off(error: &axum::Error) -> Stop {
    let causes = std::iter::successors(Some(error as &dyn Error), |error| (*error).source());
    let has_left = causes.filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|error| {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        [BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof].contains(&error.kind())
    });
    if has_left { Stop::Gone } else { Stop::with_cause(Refusal::MalformedForm, error) }
}

fn too_slow() -> Stop {
    Stop::with_cause(Refusal::TimedOut, "the upload took too long")
}

fn refusal(error: FormError) -> Refusal {
    match error {
        FormError::Invalid(complaints) => Refusal::Invalid(complaints),
        FormError::Malformed => Refusal::MalformedForm,
        FormError::TooLarge => Refusal::BodyTooLarge,
    }
}

fn order_refusal(error: OrderError) -> Refusal {
    match error {
        OrderError::Faults(faults) => Refusal::Order(faults),
        OrderError::Malformed => Refusal::MalformedForm,
        OrderError::TooLarge => Refusal::BodyTooLarge,
    }
}

fn stop_for(error: &SpoolError) -> Stop {
    match error {
        SpoolError::TooLong(_) => Refusal::BodyTooLarge.into(),
        SpoolError::NoRoom | SpoolError::File(_) => Stop::with_cause(unavailable(Shortage::NoRoom), error),
    }
}
