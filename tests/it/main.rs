//! What users would notice: the gateway on a free port, a real store, a backend that does as it is told.

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's way to fail")]

mod architecture;
mod backend;
mod credits;
mod failures;
mod form;
mod forms;
mod journey;
mod people;
mod pool;
mod queue;
mod rawsocket;
mod rembg_server;
mod usage;
mod world;
