//! Gateways, stores, a stub backend, callers and a browser for all tests. Every test binary has this folder as its module
//! `support`.

#![expect(dead_code, reason = "no test binary needs all of it")]
#![expect(unreachable_pub, reason = "a test binary has no outside")]

pub mod alone;
pub mod backend;
pub mod billed;
pub mod browser;
pub mod certificate;
pub mod clock;
pub mod engine;
pub mod form;
pub mod gateway;
pub mod key;
pub mod people;
pub mod process;
pub mod programs;
pub mod rawsocket;
pub mod redis;
pub mod signer;
pub mod tcp_proxy;
pub mod wait;
pub mod world;
