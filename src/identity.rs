//! Who is calling.

pub mod pace;
pub mod user_token;
