//! `serve`

use super::{Desk, Failure, Report};

/// Runs the gateway until it is told to stop.
pub(super) async fn run(desk: Desk) -> Result<Report, Failure> {
    crate::app::run(desk.config).await?;
    Ok(Report::silent())
}
