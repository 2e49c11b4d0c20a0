//! The real backends: the builtin model, and the model that the Python package `rembg` serves.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's way to fail")]

mod builtin;
mod rembg;
#[path = "../support/lib.rs"]
mod support;
