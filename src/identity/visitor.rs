//! A request before anything about it is verified.

use super::Credentials;
use crate::domain::client_address::ClientAddress;
use std::net::IpAddr;

/// The sender of a request: its address and its credentials.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The client's own address, as far as trusted proxies name it.
    pub address: IpAddr,
    /// The credentials, not verified yet.
    pub credentials: Credentials,
}

impl Visitor {
    /// The client that the visitor counts as without an account.
    #[must_use]
    pub fn client(&self) -> ClientAddress {
        ClientAddress::of(self.address)
    }

    /// Whether there are credentials to verify.
    #[must_use]
    pub fn claims_to_be_somebody(&self) -> bool {
        !matches!(self.credentials, Credentials::None)
    }
}
