//! `serve`

use super::{Failure, Report, Session};

/// Runs the gateway until it is told to stop.
pub(super) async fn run(session: Session) -> Result<Report, Failure> {
    crate::app::run(session.config).await?;
    Ok(Report::silent())
}
