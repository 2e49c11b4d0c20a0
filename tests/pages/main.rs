//! Pages for people, as people use them: in a real browser, on the real gateway.

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's way to fail")]

#[expect(dead_code, reason = "shared with tests/it")]
#[path = "../it/backend.rs"]
mod backend;
#[expect(dead_code, reason = "shared with tests/it")]
#[path = "../it/billed.rs"]
mod billed;
mod browser;
#[expect(dead_code, reason = "shared with tests/it")]
#[path = "../it/form.rs"]
mod form;
mod hostile;
mod languages;
#[expect(dead_code, reason = "shared with tests/it")]
#[path = "../it/people.rs"]
mod people;
#[path = "../it/signer.rs"]
mod signer;
mod try_it;
mod usage;
#[expect(dead_code, reason = "shared with tests/it")]
#[path = "../it/world.rs"]
mod world;
