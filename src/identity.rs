//! Who is calling.

pub mod pace;
