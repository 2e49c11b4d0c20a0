//! Everything that a caller or an operator would notice: the gateway on a free port, a real store, a stub backend.

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's way to fail")]

mod absurd;
mod anonymous;
mod answers;
mod architecture;
mod backend_keys;
mod callers;
mod cors;
mod credits;
mod cycles;
mod deliveries;
mod extremes;
mod failures;
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
mod pool;
mod proxy;
mod queue;
mod readiness;
mod reload;
mod rembg_dialect;
mod rembg_server;
mod removebg;
mod restart;
mod room;
mod slow;
mod stripe;
#[path = "../support/lib.rs"]
mod support;
mod tls;
mod usage;

use support::{backend, billed, form, people, rawsocket, signer, world};
