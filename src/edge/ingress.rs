//! Before the handlers: the client that a request comes from, and whether the request is admitted at all.

use super::{in_flight::InFlight, listener::Peer, shield::Shield};
use crate::{
    domain::{
        client_address::{ClientAddress, TrustedProxies},
        refusal::Refusal,
    },
    identity::{Credentials, Visitor},
    telemetry::{Metrics, Outcome, Record, RejectedBy},
};
use axum::http::Extensions;
use hyper::{
    HeaderMap,
    header::{HeaderName, HeaderValue},
};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

/// After this long a client with too many requests at once may have fewer.
const RETRY_SOON: Duration = Duration::from_secs(1);

/// What is decided of a request before anybody knows who sends it.
pub struct Ingress {
    /// What one client may do.
    pub shield: Shield,
    /// Whose word on client addresses is believed.
    pub proxies: TrustedProxies,
    /// Where user tokens are sent.
    pub token_header: HeaderName,
    /// Where requests in flight are counted.
    pub metrics: Arc<Metrics>,
}

impl Ingress {
    /// Counts a request in, whatever it asks for and with whatever proof: as one of its client's for as long as the guard
    /// lives. Beside it, the client's address.
    pub(super) fn count_in(
        &self,
        headers: &HeaderMap,
        extensions: &Extensions,
        record: &mut Record,
    ) -> Result<(InFlight, IpAddr), Refusal> {
        let address = self.address(headers, extensions);
        let Some(guard) = self.shield.enter(&ClientAddress::of(address)) else {
            record.rejected_by = Some(RejectedBy::InFlight);
            return Err(Refusal::TooFast { retry_after: RETRY_SOON });
        };
        Ok((InFlight::new(guard, &self.metrics), address))
    }

    /// The same for a request that is to prove who sends it. One that is refused for its proof is counted all the same,
    /// until its upload has run out and its answer is sent.
    pub(super) fn enter(
        &self,
        headers: &HeaderMap,
        extensions: &Extensions,
        record: &mut Record,
    ) -> (Option<InFlight>, Result<Visitor, Refusal>) {
        let credentials = Credentials::from_headers(headers, &self.token_header);
        self.enter_with(headers, extensions, credentials, record)
    }

    /// The same for a request whose proof has been read.
    pub(super) fn enter_with(
        &self,
        headers: &HeaderMap,
        extensions: &Extensions,
        credentials: Result<Credentials, Refusal>,
        record: &mut Record,
    ) -> (Option<InFlight>, Result<Visitor, Refusal>) {
        match self.count_in(headers, extensions, record) {
            Ok((guard, address)) => (Some(guard), self.visitor(address, credentials, record)),
            Err(refusal) => (None, Err(refusal)),
        }
    }

    fn visitor(
        &self,
        address: IpAddr,
        credentials: Result<Credentials, Refusal>,
        record: &mut Record,
    ) -> Result<Visitor, Refusal> {
        let visitor = Visitor { address, credentials: credentials? };
        let too_fast = || self.shield.guessing_too_fast(&visitor.client());
        if let Some(retry_after) = visitor.claims_to_be_somebody().then(too_fast).flatten() {
            record.rejected_by = Some(RejectedBy::BadCredentials);
            return Err(Refusal::TooFast { retry_after });
        }
        Ok(visitor)
    }

    /// Remembers a visitor whose credentials opened nothing.
    pub(super) fn remember(&self, visitor: &Visitor, outcome: &Outcome) {
        let opened_nothing = matches!(outcome, Outcome::Refused(Refusal::InvalidKey | Refusal::InvalidToken));
        if opened_nothing && visitor.claims_to_be_somebody() {
            self.shield.bad_credential(&visitor.client());
        }
    }

    fn address(&self, headers: &HeaderMap, extensions: &Extensions) -> IpAddr {
        // Every connection has a peer; without one, all are one client.
        let peer = extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
        let lines: Vec<&[u8]> = headers.get_all(self.proxies.header.name()).iter().map(HeaderValue::as_bytes).collect();
        self.proxies.client_ip(peer, lines)
    }
}
