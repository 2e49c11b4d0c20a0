//! The wire: listeners, routes, and the one place that writes answers.

mod admin;
mod cors;
mod deliveries;
mod ingress;
mod in_flight;
mod listener;
mod pages;
mod panics;
mod public;
mod rate_limit;
mod reply;
pub mod shield;
mod webhook;

pub use admin::{Admin, admin_routes};
pub use cors::Cors;
pub use deliveries::Deliveries;
pub use ingress::Ingress;
pub use listener::{CertificateError, ConnectionLimits, ConnectionRules, Listener, Peer, Socket, Sockets, Tls};
pub use public::{Public, public_routes};
