//! `serve`

use super::{Failure, Report, Session, load};
use crate::app::ReadAgain;
use std::path::PathBuf;

/// Runs the gateway until it is told to stop. `file` is what the configuration was read from, if there was one.
pub(super) async fn run(session: Session, file: Option<PathBuf>) -> Result<Report, Failure> {
    let read_again = file.map(|file| -> ReadAgain { Box::new(move || load(Some(&file))) });
    crate::app::run(session.config, read_again).await?;
    Ok(Report::silent())
}
