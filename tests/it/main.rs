//! What users would notice: the gateway on a free port, a real store, a backend that does as it is told.

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's way to fail")]

mod absurd;
mod anonymous;
mod answers;
mod architecture;
mod backend;
mod backend_keys;
mod billed;
mod callers;
mod cors;
mod credits;
mod cycles;
mod deliveries;
mod extremes;
mod failures;
mod form;
mod forms;
mod headers;
mod issuer;
mod journey;
mod keys;
mod limits;
mod limits_told;
mod metrics;
mod owners;
mod pages;
mod people;
mod pool;
mod proxy;
mod queue;
mod rawsocket;
mod rembg_dialect;
mod rembg_server;
mod removebg;
mod restart;
mod room;
mod signer;
mod slow;
mod stripe;
mod tls;
mod usage;
mod world;
