//! Stripe's webhook ([`webhook`]), and the processing of its events ([`intake`]).
//!
//! The pure part checks the signature ([`signature`]), reads the event ([`event`]), finds what it says about which of
//! Stripe's objects ([`news`]) and who owns them ([`claims`]), merges that into the objects ([`object`]:
//! [`subscription`], [`purchase`]), and computes the changes of the account ([`account`]).

pub mod account;
#[cfg(test)]
mod books;
pub mod claims;
pub mod event;
#[cfg(test)]
mod histories;
pub mod intake;
pub mod news;
pub mod object;
pub mod purchase;
mod ranked;
pub mod reprocess;
#[cfg(test)]
mod samples;
pub mod signature;
pub mod subscription;
pub mod webhook;
