//! rembg-gateway: the reverse-proxy gateway in front of a background-removal backend.
//!
//! # Layout
//!
//! The modules in reading order; each may use those below it, never one above.
//!
//! | module | what it is |
//! |---|---|
//! | [`cli`] | the command line |
//! | [`app`] | the composition root: configuration → parts → listeners, and the shutdown |
//! | [`edge`] | listeners, routes, and the one place that writes the contract's answers |
//! | [`rmbg`] | `POST /rmbg`: the journey of a picture, step by step |
//! | [`usage`] | `GET /api/membership-usage` |
//! | [`pages`] | pages for people and the description of the API, served from memory |
//! | [`stripe`] | Stripe's events and their effects on accounts |
//! | [`admin`] | the operator's commands |
//! | [`identity`] | finds the caller behind a request's credentials |
//! | [`store`] | accounts, holds, counters, the ledger |
//! | [`fetch`] | a picture from a URL that a caller has named |
//! | [`backend`] | the services that remove the background |
//! | [`picture`] | decoding, cutting, resizing, rotating, colouring, encoding |
//! | [`telemetry`] | one record per request becomes metrics and a log line |
//! | [`spool`] | a body held whole, in memory first, then in a file |
//! | [`outlasting`] | work that goes on when nobody waits for it any more |
//! | [`trust`] | the authorities that identify the servers that we call; reading certificates |
//! | [`config`] | every setting |
//! | [`clock`] | the one place that reads the time |
//! | [`random`] | the one place that makes fresh ids and secrets |
//! | [`failpoint`] | for tests: dying at a chosen point of the journey |
//! | [`domain`] | the rules, pure |

pub mod cli;
pub mod app;
pub mod edge;
pub mod rmbg;
pub mod usage;
pub mod pages;
pub mod stripe;
pub mod admin;
pub mod identity;
pub mod store;
pub mod fetch;
pub mod backend;
pub mod picture;
pub mod telemetry;
pub mod spool;
pub mod outlasting;
pub mod trust;
pub mod config;
pub mod clock;
pub mod random;
pub mod failpoint;
pub mod domain;
