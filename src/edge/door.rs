//! The door: where a request comes from, and whether it may come in at all.

use super::shield::{InFlightGuard, Shield};
use crate::{
    domain::{caller::ClientAddress, client_address::TrustedProxies, refusal::Refusal},
    identity::{Credentials, Visitor},
    telemetry::{Outcome, Record, TurnedAway},
};
use axum::http::Extensions;
use hyper::{
    HeaderMap,
    header::{HeaderName, HeaderValue},
};
use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

/// After this long a client with too many requests at once may have fewer.
const RETRY_SOON: Duration = Duration::from_secs(1);

/// Who is at the other end of the connection; every request carries it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// What is decided of a request before anybody knows who sends it.
pub struct Door {
    /// What one client may do.
    pub shield: Shield,
    /// Whose word on client addresses is believed.
    pub proxies: TrustedProxies,
    /// Where user tokens are sent.
    pub token_header: HeaderName,
}

impl Door {
    /// Lets a request in, for as long as the guard lives.
    pub(super) fn enter(
        &self,
        headers: &HeaderMap,
        extensions: &Extensions,
        record: &mut Record,
    ) -> Result<(Visitor, InFlightGuard), Refusal> {
        let address = self.address(headers, extensions);
        let client = ClientAddress::of(address);
        let Some(guard) = self.shield.enter(&client) else {
            record.turned_away = Some(TurnedAway::InFlight);
            return Err(Refusal::TooFast { retry_after: RETRY_SOON });
        };
        let visitor = Visitor { address, credentials: Credentials::from_headers(headers, &self.token_header)? };
        if let (true, Some(retry_after)) = (visitor.claims_to_be_somebody(), self.shield.guessing_too_fast(&client)) {
            record.turned_away = Some(TurnedAway::BadCredentials);
            return Err(Refusal::TooFast { retry_after });
        }
        Ok((visitor, guard))
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
        let peer = extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0);
        let lines: Vec<&[u8]> = headers.get_all(self.proxies.header.name()).iter().map(HeaderValue::as_bytes).collect();
        self.proxies.client_ip(peer, lines)
    }
}
