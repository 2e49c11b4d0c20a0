//! Stripe's webhook ([`webhook`]), and how its events are taken ([`intake`]). The pure part: is it Stripe's ([`signature`]),
//! what does it say ([`event`]), of which of Stripe's objects ([`news`]), whose are those ([`claims`]), what is known of them
//! ([`object`]: [`subscription`], [`purchase`]), and what follows for the account ([`account`]).

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
#[cfg(test)]
mod samples;
pub mod signature;
pub mod subscription;
pub mod webhook;
