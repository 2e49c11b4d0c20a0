//! The real binary: its command line while it serves, and what is left when it is killed.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's way to fail")]
#![expect(unreachable_pub, reason = "a test binary has no outside")]

#[path = "../it/backend.rs"]
#[expect(dead_code, reason = "the journey's tests use the rest")]
mod backend;
mod backup;
mod command_line;
mod demo;
mod disk;
#[path = "../it/form.rs"]
#[expect(dead_code, reason = "the journey's tests use the rest")]
mod form;
mod gateway;
mod killed;
mod migration;
mod panics;
#[path = "../faults/servers.rs"]
#[expect(dead_code, reason = "made for tests/faults, which needs more of it")]
mod servers;
mod stopped;
#[path = "../it/people.rs"]
#[expect(dead_code, reason = "the journey's tests use the rest")]
mod people;
