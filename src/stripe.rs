//! Stripe's webhook ([`webhook`]), and its pure part: is it Stripe's ([`signature`]), what does it say ([`event`]), what follows from it
//! ([`effect`]), and what is remembered so that neither order nor repetition matters ([`order`]).

pub mod effect;
pub mod event;
pub mod order;
pub mod purchase;
#[cfg(test)]
mod samples;
pub mod signature;
pub mod webhook;
