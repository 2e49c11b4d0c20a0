//! The state of a part at the moment of a scrape.

/// The backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackendGauges {
    /// Requests in line.
    pub waiting: u64,
    /// Each service behind the gateway.
    pub services: Vec<ServiceGauges>,
    /// Our account at it, once it has reported.
    pub account: Option<AccountGauges>,
}

/// Our own account at a metered service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountGauges {
    /// Credits that can still be spent.
    pub remaining: u64,
    /// Credits that the service has counted, since this process first looked, beyond the pictures that it answered us.
    pub drift: i64,
}

/// One service of the backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceGauges {
    /// Its address, from the configuration.
    pub name: String,
    /// Pictures that it works on.
    pub in_flight: u64,
    /// Whether it is given pictures.
    pub up: bool,
}

/// The store, as this process sees it. All but the journal's only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreGauges {
    /// Keeps in the journal that the store has not acknowledged yet.
    pub journal_waiting: u64,
    /// Whether the journal is full, so that no request is admitted.
    pub journal_full: bool,
    /// Keeps that were handed in after their lease had ended: counted, and possibly beyond a limit.
    pub late: u64,
    /// Keeps that no store may take any more, for a person to look at.
    pub set_aside: u64,
    /// Credits that were lent to known accounts while the store was unavailable.
    pub lent: u64,
    /// How often the store became unavailable.
    pub outages: u64,
}
