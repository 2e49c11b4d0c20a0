//! The network side: listeners, routes, and the one place that writes the contract's answers.

mod admin;
mod answered;
mod cors;
mod deliveries;
mod dialect;
mod dialect_headers;
mod error_form;
mod guarded_body;
mod in_flight;
mod ingress;
mod listener;
mod membership_usage;
mod noted;
mod pages;
mod panics;
mod peer;
mod rate_limit;
mod refuse;
mod reply;
mod request_id;
mod rmbg;
mod routes;
pub mod shield;
mod spooled_body;
mod state;
mod unknown;
mod unread;
mod webhook;

pub use admin::admin_routes;
pub use cors::Cors;
pub use deliveries::Deliveries;
pub use ingress::Ingress;
pub use listener::{
    CertificateError, ConnectionLimits, ConnectionRules, Listener, Live, Pair, Snapshot, Socket, Sockets, Tls, Workers,
};
pub use peer::Peer;
pub use routes::{Routes, public_routes};
pub use state::{AdminState, DialectRules, PublicState};
