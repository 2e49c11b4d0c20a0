//! The wire: listeners, routes, and the one place that writes answers.

mod admin;
mod listener;
mod public;
mod reply;
mod webhook;

pub use admin::{Admin, admin_routes};
pub use listener::{Listener, ListenerLimits};
pub use public::{Public, public_routes};
