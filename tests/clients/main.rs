//! Programs of others, as they are: the clients that must work unchanged (contract, section 6), which are the official SDK,
//! curl, Python, fetch and a browser; validators of our description of the API; and our own pages in a real browser.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's way to fail")]
#![expect(unreachable_pub, reason = "a test binary has no outside")]

mod documented;
mod fetch;
mod hostile;
mod openapi;
mod pages;
mod removebg;
mod sdk;
mod secured;
#[path = "../support/lib.rs"]
mod support;

use support::{backend, form, people, world};
