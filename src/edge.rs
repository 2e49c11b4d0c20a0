//! Where requests come in.

pub mod shield;
