//! The first checks of a request, before its caller is known: how much its client asks for at once, and how many bad
//! credentials it has sent.

use super::{in_flight::InFlight, peer::Peer, shield::Shield};
use crate::{
    domain::{client_address::TrustedProxies, refusal::Refusal, trace::Trace},
    identity::{Credentials, Visitor},
    random::trace_of,
    telemetry::{Metrics, Outcome, Record, RejectedBy},
};
use axum::{extract::Request, http::Extensions};
use hyper::{
    HeaderMap,
    header::{HeaderName, HeaderValue},
};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

/// The trace that a request belongs to (W3C Trace Context).
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// How long a client with too many requests in flight should wait.
const RETRY_SOON: Duration = Duration::from_secs(1);

/// Checks requests before their callers are known.
#[derive(Clone)]
pub struct Ingress {
    /// The limits of each client.
    pub shield: Shield,
    /// The proxies whose forwarding headers are believed.
    pub proxies: TrustedProxies,
    /// The header that user tokens are sent in.
    pub token_header: HeaderName,
    /// The metrics that count requests in flight.
    pub metrics: Arc<Metrics>,
}

/// The client's address, and the trace that the request belongs to. They are found out once for each request.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestContext {
    pub(super) client: IpAddr,
    trace: Option<Trace>,
}

impl RequestContext {
    /// Notes both in a record of the request.
    pub(super) fn note(self, record: &mut Record) {
        (record.client, record.trace) = (Some(self.client), self.trace);
    }
}

impl Ingress {
    /// Counts a request, of any kind and with any credentials, as one that its client has in flight. Returns the guard
    /// that keeps it counted, and the client's address.
    pub(super) fn enter(&self, request: &Request, record: &mut Record) -> Result<(Arc<InFlight>, IpAddr), Refusal> {
        let context = self.context_of(request);
        context.note(record);
        Ok((self.count(context.client, record)?, context.client))
    }

    /// Counts a request of this client as in flight.
    pub(super) fn count(&self, client: IpAddr, record: &mut Record) -> Result<Arc<InFlight>, Refusal> {
        let Some(guard) = self.shield.enter(client) else {
            record.rejected_by = Some(RejectedBy::InFlight);
            return Err(Refusal::TooFast { retry_after: RETRY_SOON });
        };
        Ok(Arc::new(InFlight::new(guard, &self.metrics)))
    }

    /// The client's address and the trace of a request, found out once.
    pub(super) fn context_of(&self, request: &Request) -> RequestContext {
        let known = request.extensions().get::<RequestContext>().copied();
        known.unwrap_or_else(|| self.context(request.headers(), peer(request.extensions())))
    }

    /// The client's address and the trace. Only a trusted proxy may say which trace it is: a stranger could mix its requests
    /// into another's trace.
    pub(super) fn context(&self, headers: &HeaderMap, peer: IpAddr) -> RequestContext {
        if !self.proxies.trusts(peer) {
            return RequestContext { client: self.proxies.client_ip(peer, []), trace: trace_of(None).ok() };
        }
        let mut traceparents = headers.get_all(TRACEPARENT).iter();
        let only = traceparents.next().filter(|_| traceparents.next().is_none());
        let trace = trace_of(only.map(HeaderValue::as_bytes)).ok();
        RequestContext { client: self.address(headers, peer), trace }
    }

    /// Reads the credentials of a request that has entered. Rejects them unread if the client has sent too many bad ones.
    pub(super) fn visitor(
        &self,
        address: IpAddr,
        headers: &HeaderMap,
        record: &mut Record,
    ) -> Result<Visitor, Refusal> {
        self.visitor_with(address, Credentials::from_headers(headers, &self.token_header), record)
    }

    /// The same for credentials that have been read from the request.
    pub(super) fn visitor_with(
        &self,
        address: IpAddr,
        credentials: Result<Credentials, Refusal>,
        record: &mut Record,
    ) -> Result<Visitor, Refusal> {
        let visitor = Visitor { address, credentials: credentials? };
        let too_fast = || self.shield.guessing_too_fast(visitor.address);
        if let Some(retry_after) = visitor.claims_to_be_somebody().then(too_fast).flatten() {
            record.rejected_by = Some(RejectedBy::BadCredentials);
            return Err(Refusal::TooFast { retry_after });
        }
        Ok(visitor)
    }

    /// Counts the visitor's credentials as bad if they were refused.
    pub(super) fn remember(&self, visitor: &Visitor, outcome: &Outcome) {
        let opened_nothing = matches!(outcome, Outcome::Refused(Refusal::InvalidKey | Refusal::InvalidToken));
        if opened_nothing && visitor.claims_to_be_somebody() {
            self.shield.bad_credential(visitor.address);
        }
    }

    fn address(&self, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
        let lines: Vec<&[u8]> = headers.get_all(self.proxies.header.name()).iter().map(HeaderValue::as_bytes).collect();
        self.proxies.client_ip(peer, lines)
    }
}

/// The other end of the connection. Every connection has one. Without it, all requests would count as one client's.
fn peer(extensions: &Extensions) -> IpAddr {
    extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip())
}
