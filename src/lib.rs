//! rembg-gateway: the reverse-proxy gateway in front of a background-removal backend.

pub mod admin;
pub mod app;
pub mod backend;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod identity;
pub mod picture;
pub mod spool;
pub mod store;
