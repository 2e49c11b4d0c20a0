//! The answer of `GET /v1.0/account`.

use serde::Serialize;

/// What an account can still spend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountAnswer {
    data: Data,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Data {
    attributes: Attributes,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Attributes {
    credits: Credits,
    api: Api,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Credits {
    total: u64,
    subscription: u64,
    payg: u64,
    enterprise: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Api {
    free_calls: u64,
    sizes: &'static str,
}

impl AccountAnswer {
    /// The answer for an account with so many included credits left in the present window, and so many prepaid ones.
    #[must_use]
    pub fn new(included: u64, prepaid: u64) -> Self {
        let total = included.saturating_add(prepaid);
        let credits = Credits { total, subscription: included, payg: prepaid, enterprise: 0 };
        Self { data: Data { attributes: Attributes { credits, api: Api { free_calls: 0, sizes: "all" } } } }
    }
}
