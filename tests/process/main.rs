//! The real binary: its command line while it serves, what is left when it is killed, and what a process holds.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's way to fail")]

mod backup;
mod chaos;
mod command_line;
mod demo;
mod disk;
mod faults;
mod killed;
mod migration;
mod panics;
mod shield_memory;
mod stopped;
#[path = "../support/lib.rs"]
mod support;

use support::{backend, form, gateway, people};
