//! The labels of the parts that requests pass through.

use super::{Label, label};
use crate::domain::readiness::Warning;

label! {
    /// The class of a backend's answer.
    BackendClass {
        /// 2xx
        Success = "2xx",
        /// 3xx
        Redirection = "3xx",
        /// 4xx but for 429
        Refused = "4xx",
        /// 429
        TooMany = "429",
        /// 5xx
        Failed = "5xx",
        /// There was no whole answer.
        None = "none",
    }
}

impl BackendClass {
    /// The class of this status; `None` is no answer.
    #[must_use]
    pub fn of(status: Option<u16>) -> Self {
        match status {
            None => Self::None,
            Some(..300) => Self::Success,
            Some(300..400) => Self::Redirection,
            Some(429) => Self::TooMany,
            Some(400..500) => Self::Refused,
            Some(500..) => Self::Failed,
        }
    }
}

label! {
    /// What the store is asked for.
    StoreVerb {
        /// The caller behind a key, or the account of a signed-in user; often answered from the cache of callers.
        Caller = "caller",
        /// An account as it counts now.
        Account = "account",
        /// An account is made or changed.
        PutAccount = "put_account",
        /// One credit is held.
        Hold = "hold",
        /// A hold is counted.
        Keep = "keep",
        /// A hold is released.
        Release = "release",
        /// The counters of a month, a cycle or all cycles.
        Usage = "usage",
        /// The last uses of keys are noted.
        TouchKeys = "touch_keys",
        /// The holds that are open are counted.
        HoldsOpen = "holds_open",
        /// A test whether the store can read and write.
        Ping = "ping",
        /// The results of Stripe's events are read or written.
        Stripe = "stripe",
    }
}

label! {
    /// How the store did what it was asked for.
    StoreResult {
        /// It was done, or there is nothing of the kind.
        Ok = "ok",
        /// The store has decided against it: a limit, no credit, no such account.
        Refused = "refused",
        /// The store is unreachable, full or out of time.
        Unavailable = "unavailable",
        /// The store holds something that this version does not understand.
        Error = "error",
    }
}

label! {
    /// The kind of budget that bodies are held in.
    BudgetKind {
        /// Memory for bodies.
        Memory = "memory",
        /// Files for bodies.
        Disk = "disk",
        /// Memory for pictures that are finished here.
        Pixels = "pixels",
    }
}

label! {
    /// What became of a user token.
    TokenResult {
        /// It is valid.
        Accepted = "accepted",
        /// The issuer's keys have never been read.
        KeysUnavailable = "keys_unavailable",
        /// More than 8 KiB.
        TooLong = "too_long",
        /// It is not a JWT, or of a kind that is unknown here.
        Malformed = "malformed",
        /// No configured issuer made it.
        Issuer = "issuer",
        /// No key of the issuer fits.
        Key = "key",
        /// The key is not for this algorithm.
        Algorithm = "algorithm",
        /// The signature was not made with the key.
        Signature = "signature",
        /// `exp` is missing or has passed.
        Expired = "expired",
        /// It counts only later.
        NotYetValid = "not_yet_valid",
        /// It is meant for somebody else.
        Audience = "audience",
        /// `sub` makes no account's id.
        Subject = "subject",
        /// It fails a rule of the preset.
        NotSignedIn = "not_signed_in",
    }
}

label! {
    /// What an event of Stripe is about.
    StripeType {
        /// `customer.subscription.*`
        Subscription = "subscription",
        /// `invoice.paid`
        InvoicePaid = "invoice_paid",
        /// `checkout.session.*`
        Checkout = "checkout",
        /// `charge.refunded`
        Refund = "refund",
        /// A refund that failed.
        FailedRefund = "failed_refund",
        /// `charge.dispute.*`
        Dispute = "dispute",
        /// A type that is not used here.
        Other = "other",
    }
}

label! {
    /// What became of an event of Stripe.
    StripeOutcome {
        /// It was written to an account.
        Applied = "applied",
        /// It says nothing new.
        Duplicate = "duplicate",
        /// It waits: for its account, its price or a person.
        Parked = "parked",
        /// The store was unavailable; Stripe sends it again.
        StoreUnavailable = "store_unavailable",
        /// Its type is not used here.
        OtherType = "other_type",
        /// It is from a connected account, and those are not allowed.
        Connect = "connect",
        /// A subscription without a readable period.
        NoPeriod = "no_period",
        /// An invoice that starts no period.
        StartsNoPeriod = "starts_no_period",
        /// A session that is not paid, or sold no pack.
        NotPaid = "not_paid",
        /// A paid session for which nothing names credits.
        NoCredits = "no_credits",
        /// A refund or dispute that the configuration ignores.
        ByPolicy = "by_policy",
        /// A refund or dispute that names no payment.
        NoPayment = "no_payment",
    }
}

impl Label for Warning {
    const NAMES: &'static [&'static str] =
        &["backend_keys_resting", "backend_account_exhausted", "certificate_near_end", "journal_waiting"];

    fn number(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_a_label_under_its_code() {
        let codes = Warning::ALL.map(Warning::code);
        assert_eq!((Warning::NAMES, Warning::ALL.map(Label::as_str)), (&codes[..], codes));
    }
}
