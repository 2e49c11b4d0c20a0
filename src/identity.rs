//! Identifies callers: the credentials of a request, and the keys that they are checked against.

pub mod api_key;
mod api_keys;
mod credentials;
mod keyring;
pub mod account_limiter;
pub mod user_token;
mod visitor;

pub(crate) use api_keys::find as find_key;
pub use api_keys::{ApiKeys, Opening};
pub use credentials::Credentials;
pub use keyring::{Keyring, KeyringError, PepperSource};
pub use visitor::Visitor;
