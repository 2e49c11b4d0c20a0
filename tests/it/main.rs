//! What users would notice: the gateway on a free port, a real store, a backend that does as it is told.

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's way to fail")]

mod architecture;
mod backend;
mod billed;
mod credits;
mod cycles;
mod failures;
mod form;
mod forms;
mod journey;
mod metrics;
mod people;
mod pool;
mod queue;
mod rawsocket;
mod rembg_server;
mod signer;
mod stripe;
mod usage;
mod world;
