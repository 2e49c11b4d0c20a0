//! The numbers of an account that an operator can set right, by the names under which an audit shows them.

use super::{Fault, Result, key_names::AccountNames, whole::MOST};

/// The name of the balance among the counters of a ledger.
pub(super) const PREPAID: &str = "prepaid";

/// The fields of an account that are numbers and not counters.
pub(super) const FIELDS: [&str; 5] =
    ["credits", "billing_period_start", "billing_period_end", "billing_anchor", "billing_ends_at"];

/// One of an account's numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Number {
    /// The prepaid balance.
    Prepaid,
    /// One of [`FIELDS`].
    Field(&'static str),
    /// A counter, by its name without the account's own.
    Counter(String),
}

impl Number {
    /// The number that a name means, with or without the account's own before it, if it may be set to this value.
    pub(super) fn to_set(names: &AccountNames, key: &str, value: i64) -> Result<Self> {
        let own = names.own();
        let below = key.strip_prefix(own).and_then(|rest| rest.strip_prefix([':', ' '])).unwrap_or(key);
        let number = match FIELDS.into_iter().find(|field| *field == below) {
            Some(field) => Self::Field(field),
            None if below == PREPAID || below == "prepaid_credits" => Self::Prepaid,
            None if is_counter(below) => Self::Counter(below.to_owned()),
            None => {
                return Err(Fault::NotFound(format!("{key} is not a number of {own}; audit shows their names")));
            }
        };
        let least = if number == Self::Prepaid { 1 - MOST } else { 0 };
        if value < least || value >= MOST {
            return Err(Fault::TooLarge(format!("{key} must be between {least} and {}", MOST - 1)));
        }
        Ok(number)
    }

    /// The name under which the ledger adds it up, if it does.
    pub(super) fn counter(&self) -> Option<&str> {
        match self {
            Self::Prepaid => Some(PREPAID),
            Self::Counter(below) => Some(below),
            Self::Field(_) => None,
        }
    }
}

/// `app_usage:2026:3`, `prepaid_usage:cycle:1774268612`, `key_usage:k1:2026:3`
fn is_counter(below: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match below.split(':').collect::<Vec<_>>()[..] {
        ["app_usage" | "api_usage" | "prepaid_usage", "cycle", start] => is_number(start),
        ["app_usage" | "api_usage" | "prepaid_usage", year, month] => is_number(year) && is_number(month),
        ["key_usage", key, year, month] => !key.is_empty() && is_number(year) && is_number(month),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::account::Uid;

    #[test]
    fn a_number_is_called_as_audit_and_log_call_it() {
        let names = AccountNames::of(&Uid::new("42").unwrap());
        let meant = |key: &str| Number::to_set(&names, key, 7).ok();
        let counter = |below: &str| Some(Number::Counter(below.into()));
        for (key, number) in [
            ("user:42:app_usage:2026:3", counter("app_usage:2026:3")),
            ("api_usage:cycle:1774268612", counter("api_usage:cycle:1774268612")),
            ("user:42:key_usage:k1:2026:3", counter("key_usage:k1:2026:3")),
            ("user:42 prepaid_credits", Some(Number::Prepaid)),
            ("prepaid", Some(Number::Prepaid)),
            ("user:42 credits", Some(Number::Field("credits"))),
            ("billing_period_end", Some(Number::Field("billing_period_end"))),
            ("user:43:app_usage:2026:3", None),
            ("user:42:holds", None),
            ("user:42:ledger:2026:3", None),
            ("app_usage:2026", None),
            ("app_usage:cycle:x", None),
            ("membership", None),
            ("", None),
        ] {
            assert_eq!(meant(key), number, "{key}");
        }
        for (key, value) in [("credits", -1), ("app_usage:2026:3", -1), ("prepaid", MOST), ("prepaid", -MOST)] {
            assert!(Number::to_set(&names, key, value).is_err(), "{key} {value}");
        }
        assert!(Number::to_set(&names, "prepaid", -5).is_ok());
    }
}
