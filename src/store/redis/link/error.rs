//! What an error of the server or the connection means to the gateway.

use crate::store::Fault;
use redis::{ErrorKind, RedisError, ServerErrorKind};

/// Errors that pass by themselves or by an operator's hand: memory or disk full, no replica, a script that takes too long,
/// rights that are missing at the moment. None of them has written anything.
const PASSING: [&str; 9] =
    ["OOM", "MISCONF", "NOREPLICAS", "BUSY", "NOPERM", "NOAUTH", "WRONGPASS", "NOSCRIPT", "UNKILLABLE"];

/// What is to blame where asking again may help.
pub(super) enum Cause {
    /// The connection is broken, or leads to a server that is not, or not yet, the one to ask.
    Connection,
    /// No answer in time.
    Slowness,
    /// A slot is on its way to another server of the Cluster.
    Nobody,
}

/// `None` where asking again does not help.
pub(super) fn classify(error: &RedisError) -> Option<Cause> {
    use ServerErrorKind as Kind;
    let kind = error.kind();
    let broken = matches!(kind, ErrorKind::Io | ErrorKind::Parse | ErrorKind::ClusterConnectionNotFound);
    let moves = matches!(kind, ErrorKind::Server(Kind::TryAgain | Kind::Moved | Kind::Ask));
    let elsewhere =
        matches!(kind, ErrorKind::Server(Kind::BusyLoading | Kind::ReadOnly | Kind::MasterDown | Kind::ClusterDown));
    if broken && error.is_timeout() {
        Some(Cause::Slowness)
    } else if broken || elsewhere {
        Some(Cause::Connection)
    } else {
        moves.then_some(Cause::Nobody)
    }
}

/// Words for the log.
pub(in super::super) fn fault(error: &RedisError) -> Fault {
    let passing = error.code().is_some_and(|code| PASSING.contains(&code)) || classify(error).is_some();
    let unexpected =
        matches!(error.kind(), ErrorKind::UnexpectedReturnType | ErrorKind::Server(_) | ErrorKind::Extension);
    if unexpected && !passing { Fault::Unexpected(error.to_string()) } else { Fault::Unavailable(error.to_string()) }
}
