//! Who is calling: what a request brings to prove it, and the keys that it is held against.

pub mod api_key;
mod credentials;
mod keyring;
mod opening;
mod random;

pub use credentials::Credentials;
pub use keyring::{Keyring, KeyringError, PepperSource};
pub use random::{NoRandomness, fresh_operation_id};

use std::fmt::Write as _;

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
