//! Why there is no picture.

use crate::domain::picture_url::PictureUrl;
use std::{io, net::SocketAddr};

/// Why there is no picture. Its words are for the log, never for the caller; they hold no path and no query.
#[derive(Debug, thiserror::Error)]
pub enum NotFetched {
    /// All that may be told is that it failed.
    #[error("{at}: {cause}")]
    Failed {
        /// Where: scheme, host and port.
        at: String,
        /// The cause.
        cause: Cause,
    },
    /// There is a picture, and it is longer than an upload may be.
    #[error("the picture is too long")]
    TooLarge,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The name could not be looked up.
    #[error("the name cannot be looked up: {0}")]
    Unresolved(#[source] io::Error),
    /// The name has no addresses.
    #[error("the name has no address")]
    NoAddress,
    /// None of the host's addresses may be connected to; this is one of them.
    #[error("{0} may not be connected to")]
    Refused(SocketAddr),
    /// The connection could not be made.
    #[error("{address} cannot be reached: {why}")]
    Unreached {
        /// The last address that was tried.
        address: SocketAddr,
        /// What the system or TLS said.
        why: String,
    },
    /// The exchange began and failed.
    #[error("the exchange failed: {0}")]
    BrokenOff(#[from] hyper::Error),
    /// It was not done by its deadline, or slower than is put up with.
    #[error("too slow")]
    TooSlow,
    /// Neither 200 nor a redirect.
    #[error("it answered {0}")]
    Status(u16),
    /// A redirect to nowhere, or to what is no http or https address.
    #[error("it redirects to no address that is fetched from")]
    Redirect,
    /// One redirect too many.
    #[error("it redirects too often")]
    TooManyRedirects,
    /// The end of the connection would be the end of the body.
    #[error("the answer does not say how long it is")]
    NoLength,
    /// The body is not the picture's bytes as they are.
    #[error("the answer is in a coding that nobody asked for")]
    Coded,
}

impl NotFetched {
    pub(super) fn at(url: &PictureUrl, cause: Cause) -> Self {
        Self::Failed { at: url.to_string(), cause }
    }
}
