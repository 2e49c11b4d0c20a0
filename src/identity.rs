//! Who is calling: what a request brings to prove it, and the keys that it is held against.

pub mod api_key;
mod api_keys;
mod credentials;
mod keyring;
pub mod pace;
pub mod user_token;
mod visitor;

pub use api_keys::ApiKeys;
pub(crate) use api_keys::find as find_key;
pub use credentials::Credentials;
pub use keyring::{Keyring, KeyringError, PepperSource};
pub use visitor::Visitor;
