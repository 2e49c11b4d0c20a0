//! Clients that must work unchanged (contract, section 6), as they are: the official SDK, curl, Python, fetch, a browser.

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's way to fail")]

#[expect(dead_code, reason = "shared with tests/it")]
#[path = "../it/backend.rs"]
mod backend;
mod documented;
mod fetch;
mod openapi;
#[expect(dead_code, reason = "shared with tests/it")]
#[path = "../it/form.rs"]
mod form;
mod hostile;
#[expect(dead_code, reason = "shared with tests/it")]
#[path = "../it/people.rs"]
mod people;
mod secured;
mod sdk;
#[expect(dead_code, reason = "shared with tests/it")]
#[path = "../it/world.rs"]
mod world;
