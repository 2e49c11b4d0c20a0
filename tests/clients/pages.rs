//! The pages for people and the reference, as people use them: in a real browser, on the real gateway.

mod hostile;
mod languages;
mod reference;
mod try_it;
mod usage;
