//! The interactive reference, as people use it: in a real browser, on the real gateway.

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's way to fail")]

#[expect(dead_code, reason = "shared with tests/it")]
#[path = "../it/backend.rs"]
mod backend;
#[path = "../pages/browser.rs"]
mod browser;
#[expect(dead_code, reason = "shared with tests/it")]
#[path = "../it/form.rs"]
mod form;
#[expect(dead_code, reason = "shared with tests/it")]
#[path = "../it/people.rs"]
mod people;
mod reference;
#[expect(dead_code, reason = "shared with tests/it")]
#[path = "../it/world.rs"]
mod world;
