//! The wire: listeners, routes, and the one place that writes answers.

mod admin;
mod listener;
mod public;
mod reply;

pub use admin::{Admin, admin_routes};
pub use listener::{Door, DoorRules, Listener, Peer, Socket, Sockets, Tls, TlsError};
pub use public::{Public, public_routes};
