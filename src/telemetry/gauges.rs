//! The state of a part at the moment of a scrape.

use crate::{
    domain::{
        readiness::{CertificateAge, Phase},
        time::UnixSeconds,
    },
    trust::certificate::Certificate,
};
use std::time::Duration;

/// The process as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessGauges {
    /// The part of its life that it is in.
    pub phase: Phase,
    /// Whether the latest reload of the configuration was taken; the start counts as one.
    pub last_reload_successful: bool,
    /// When the configuration that is in force was read.
    pub last_reload_success: UnixSeconds,
    /// The certificate that new connections are shown; `None` without TLS.
    pub certificate: Option<Certificate>,
}

impl ProcessGauges {
    /// How much of the certificate's lifetime is left; `None` without TLS.
    #[must_use]
    pub fn certificate_age(&self, now: UnixSeconds) -> Option<CertificateAge> {
        self.certificate.as_ref().map(|certificate| {
            if now > certificate.not_after {
                CertificateAge::Expired
            } else if certificate.is_near_its_end(now) {
                CertificateAge::NearEnd
            } else {
                CertificateAge::Fresh
            }
        })
    }
}

/// The backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackendGauges {
    /// Requests in the queue.
    pub waiting: u64,
    /// The most that may be in it.
    pub waiting_limit: u64,
    /// Each service behind the gateway.
    pub services: Vec<ServiceGauges>,
    /// Our keys at the service.
    pub keys: KeyGauges,
    /// Our account at the service, once it has reported.
    pub account: Option<AccountGauges>,
    /// Pictures that services at addresses have answered since the process began.
    pub pictures: u64,
}

/// Our own keys at a metered service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyGauges {
    /// How many there are.
    pub configured: u64,
    /// How many of them rest, because the service refuses them.
    pub resting: u64,
    /// Whether nothing is left on the account of one of those, or callers are refused because all of them are spent or
    /// used too fast.
    pub exhausted: bool,
}

/// Our own account at a metered service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountGauges {
    /// Credits that can still be spent.
    pub remaining: u64,
    /// Credits that the account has lost since this process first asked, whoever spent them.
    pub used: u64,
    /// Credits that the service has counted beyond the pictures that it answered us, since this process first asked.
    pub drift: i64,
}

/// One service of the backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceGauges {
    /// Its address, from the configuration, without user info and query.
    pub name: String,
    /// Pictures that it works on.
    pub in_flight: u64,
    /// The most pictures that it is given at once while it is up.
    pub in_flight_limit: u64,
    /// Whether it is given pictures.
    pub up: bool,
}

/// The store, as this process sees it. What counts since the process began only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreGauges {
    /// Keeps in the journal that the store has not acknowledged yet.
    pub journal_waiting: u64,
    /// About how many keeps the journal holds before it is full; 0 without a journal.
    pub journal_limit: u64,
    /// The age of the oldest of those keeps; `None` if there is none.
    pub journal_oldest: Option<Duration>,
    /// Whether the journal is full, so that no request is admitted.
    pub journal_full: bool,
    /// Keeps that the store took after their lease had ended: counted, and possibly beyond a limit.
    pub late: u64,
    /// Keeps that are quarantined for a person to look at, because no store may take them any more.
    pub quarantined: u64,
    /// How often the store became unavailable.
    pub outages: u64,
    /// Whether the store is known to be away, so that it is not asked.
    pub breaker_open: bool,
    /// How often the last writes were replayed, because the store may have lost them.
    pub replays: u64,
}

/// The keys of an issuer of user tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerGauges {
    /// The issuer, from the configuration.
    pub issuer: String,
    /// The time since its keys were last read with success. `None` until then, and for a shared secret.
    pub age: Option<Duration>,
}
