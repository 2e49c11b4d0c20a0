//! Labels: each has a closed set of values, and each value a number, so that a series is found without its words.

mod part;
mod request;

pub use part::{BackendClass, BudgetKind, StoreResult, StoreVerb, StripeOutcome, StripeType, TokenResult};
pub(super) use request::PANIC;
pub use request::{CallerKind, OutcomeName, PoolLabel, RejectedBy, Route, StatusClass, Step};

/// A value of one label.
pub trait Label: Copy {
    /// Every value, in the order of their numbers.
    const NAMES: &'static [&'static str];

    /// The value's number.
    fn number(self) -> usize;

    /// The value.
    fn as_str(self) -> &'static str {
        Self::NAMES.get(self.number()).copied().unwrap_or_default()
    }
}

/// Declares the values of a label.
macro_rules! label {
    ($(#[$about:meta])* $name:ident { $($(#[$value_about:meta])* $value:ident = $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$value_about])* $value,)+
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$value,)+];

            /// The label's value.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $text,)+
                }
            }
        }

        impl Label for $name {
            const NAMES: &'static [&'static str] = &[$($text,)+];

            fn number(self) -> usize {
                self as usize
            }
        }
    };
}

use label;
