//! The real binary as a process: its command line, its end by signals and faults, its memory, and the files of `deploy/`.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's way to fail")]

mod backup;
mod chaos;
mod command_line;
mod demo;
mod deploy;
mod dialects;
mod disk;
mod faults;
mod killed;
mod log;
mod metrics;
mod migration;
mod newer;
mod observed;
mod operator;
mod panics;
mod redis_backup;
mod redis_user;
mod reloaded;
mod shield_memory;
mod stopped;
#[path = "../support/lib.rs"]
mod support;
mod workers;

use support::{backend, form, gateway, people};
