//! What is to be seen of a part at the moment of a scrape.

/// The backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackendGauges {
    /// Requests in line.
    pub waiting: u64,
    /// Each service behind the gateway.
    pub services: Vec<ServiceGauges>,
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
