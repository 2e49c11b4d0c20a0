//! rembg-gateway: the reverse-proxy gateway in front of a background-removal backend.

pub mod backend;
pub mod clock;
pub mod config;
pub mod domain;
pub mod edge;
pub mod identity;
pub mod spool;
pub mod store;
