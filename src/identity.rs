//! Who is calling: what a request brings to prove it, and the keys that it is held against.

pub mod api_key;
mod credentials;
mod keyring;
mod opening;
pub mod pace;
pub mod user_token;

pub use credentials::Credentials;
pub use keyring::{Keyring, KeyringError, PepperSource};
