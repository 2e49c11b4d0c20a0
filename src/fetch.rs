//! A picture from a URL that a caller has named.
//!
//! Such a URL makes this machine open a connection that somebody else chooses. So:
//!
//! - The address that a name has is looked up here, judged, and connected to; nothing looks the name up again. The same
//!   goes for every redirect.
//! - Only addresses of the public internet are connected to ([`global_address`]), on ports 80 and 443; those in
//!   `dialects.url.allow_networks` too, on any port, as a store of one's own seldom has these. Never our own listeners.
//! - Nothing of the caller's is sent, and nothing of an answer is passed on but the body of a 200.
//! - Refused, unreachable and too slow are one failure to the caller. It is told at whole seconds after the start: what is
//!   refused at once, what has no name, and what closes a connection take the same time. What cannot be hidden: a host
//!   that leaves connections unanswered takes longer than one that refuses them, and a picture that arrives has arrived.
//!   On the internet anybody can learn that; elsewhere, only what is in `allow_networks` is connected to at all.
//!
//! Connections are made for one request each, and no proxy of the environment is used.
//!
//! [`global_address`]: crate::domain::global_address

mod connect;
mod download;
mod failure;
mod reach;
mod resolver;
#[cfg(test)]
mod tests;
mod slots;

pub use download::Download;
pub use failure::{Cause, NotFetched};
pub use resolver::{Resolver, SystemResolver};

use crate::{
    config::UrlConfig,
    domain::{
        answer::leaves_as_is,
        credit::Payer,
        form::MAX_IMAGE,
        picture_url::{PictureUrl, UrlHost},
        transfer::TransferRate,
    },
    telemetry::panics,
    trust::TrustError,
};
use connect::{Connection, Connectors};
use hyper::{
    HeaderMap, Response,
    body::{Body as _, Incoming},
    header,
};
use reach::{Reach, Way};
use slots::{DownloadSlot, DownloadSlots};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, sleep_until, timeout_at};

/// Redirects that are followed.
const MOST_REDIRECTS: usize = 3;
/// Addresses of one name that are tried.
const MOST_ADDRESSES: usize = 4;
/// Failures are told after a whole number of these.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Fetches pictures from URLs. Clones share the downloads under way.
#[derive(Clone, Debug)]
pub struct Fetcher {
    resolver: Arc<dyn Resolver>,
    reach: Reach,
    connectors: Connectors,
    slots: Arc<DownloadSlots>,
    rate: TransferRate,
    longest: u64,
    told_every: Duration,
}

/// How long a download may take.
#[derive(Clone, Copy, Debug)]
struct Deadlines {
    begun: Instant,
    rate: TransferRate,
    deadline: Instant,
}

impl Deadlines {
    /// When the next byte must be here.
    fn next_by(&self, received: u64) -> Instant {
        self.deadline.min(self.begun + self.rate.time_for(received))
    }
}

impl Fetcher {
    /// A fetcher with these settings; `None` if they turn it off. `listeners` are our own, where they are bound: nothing
    /// is fetched from them. Fails if certificates cannot be read.
    pub fn set_up(
        config: &UrlConfig,
        rate: TransferRate,
        listeners: Vec<SocketAddr>,
        resolver: Arc<dyn Resolver>,
    ) -> Result<Option<Self>, TrustError> {
        if !config.enabled {
            return Ok(None);
        }
        Ok(Some(Self {
            resolver,
            reach: Reach { networks: config.allow_networks.clone(), listeners },
            connectors: Connectors::new(config.ca_file.as_deref())?,
            slots: Arc::default(),
            rate,
            longest: MAX_IMAGE,
            told_every: TOLD_EVERY,
        }))
    }

    /// The same, which requires another rate from now on.
    #[must_use]
    pub fn at_rate(self, rate: TransferRate) -> Self {
        Self { rate, ..self }
    }

    /// Requests the picture and reads the head of the answer, until the deadline; the body is left to be read. At most
    /// four downloads of a payer are under way at once; further ones wait.
    pub async fn fetch(&self, payer: &Payer, url: &PictureUrl, deadline: Instant) -> Result<Download, NotFetched> {
        let too_slow = || NotFetched::at(url, Cause::TooSlow);
        let slot = timeout_at(deadline, self.slots.take(payer)).await.map_err(|_| too_slow())?;
        let deadlines = Deadlines { begun: Instant::now(), rate: self.rate, deadline };
        let failure = match timeout_at(deadlines.next_by(0), self.follow(url, &slot)).await {
            Ok(Ok((url, answer, connection))) => {
                return Ok(Download::new(url, answer.into_body(), connection, slot, (deadlines, self.longest)));
            }
            Ok(Err(failure)) => failure,
            Err(_) => too_slow(),
        };
        sleep_until(self.told_at(deadlines)).await;
        Err(failure)
    }

    /// When a failure of this moment is told.
    fn told_at(&self, deadlines: Deadlines) -> Instant {
        let steps =
            deadlines.begun.elapsed().as_nanos().checked_div(self.told_every.as_nanos()).map_or(0, |whole| whole + 1);
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        deadlines.deadline.min(deadlines.begun + self.told_every.saturating_mul(steps))
    }

    /// Requests the picture from where the redirects lead.
    async fn follow(
        &self,
        url: &PictureUrl,
        slot: &Arc<DownloadSlot>,
    ) -> Result<(PictureUrl, Response<Incoming>, Connection), NotFetched> {
        let mut url = url.clone();
        for _ in 0..=MOST_REDIRECTS {
            let at = |cause| NotFetched::at(&url, cause);
            let (answer, connection) = self.get(&url, slot).await.map_err(at)?;
            match answer.status().as_u16() {
                200 if answer.body().size_hint().exact().is_some_and(|length| length > self.longest) => {
                    return Err(NotFetched::TooLarge);
                }
                200 => {
                    require_whole_and_plain(answer.headers()).map_err(at)?;
                    return Ok((url, answer, connection));
                }
                301 | 302 | 303 | 307 | 308 => url = next(&url, answer.headers()).map_err(at)?,
                status => return Err(at(Cause::Status(status))),
            }
        }
        Err(NotFetched::at(&url, Cause::TooManyRedirects))
    }

    /// Asks the first of the host's addresses that can be connected to.
    async fn get(&self, url: &PictureUrl, slot: &Arc<DownloadSlot>) -> Result<(Response<Incoming>, Connection), Cause> {
        let mut failure = Cause::NoAddress;
        for (address, way) in self.addresses(url, slot).await?.into_iter().take(MOST_ADDRESSES) {
            match self.connectors.connect(url, address, way).await {
                Ok((sender, connection)) => return Ok((connect::get(url, sender).await?, connection)),
                Err(unreached) => failure = unreached,
            }
        }
        Err(failure)
    }

    /// The host's addresses that may be connected to.
    async fn addresses(&self, url: &PictureUrl, slot: &Arc<DownloadSlot>) -> Result<Vec<(SocketAddr, Way)>, Cause> {
        let found = match url.host() {
            UrlHost::Address(address) => vec![address],
            UrlHost::Name(name) => self.look_up(name.to_owned(), slot).await.map_err(Cause::Unresolved)?,
        };
        let found: Vec<_> = found.into_iter().map(|ip| SocketAddr::new(ip.to_canonical(), url.port())).collect();
        let open: Vec<_> = found.iter().filter_map(|at| Some((*at, self.reach.judge(*at)?))).collect();
        match (open.as_slice(), found.first()) {
            ([], Some(address)) => Err(Cause::Refused(*address)),
            _ => Ok(open),
        }
    }

    /// A look-up cannot be cancelled. It keeps the slot until it ends, even if the request is gone by then.
    async fn look_up(&self, name: String, slot: &Arc<DownloadSlot>) -> io::Result<Vec<IpAddr>> {
        let (resolver, slot) = (Arc::clone(&self.resolver), Arc::clone(slot));
        let looking = tokio::spawn(async move {
            let found = resolver.look_up(&name).await;
            drop(slot);
            found
        });
        looking.await.map_err(|error| io::Error::other(panics::pass_on(error)))?
    }
}

/// Where the redirect leads.
fn next(url: &PictureUrl, headers: &HeaderMap) -> Result<PictureUrl, Cause> {
    let location = headers.get(header::LOCATION).and_then(|location| std::str::from_utf8(location.as_bytes()).ok());
    url.redirected(location.ok_or(Cause::Redirect)?).map_err(|_| Cause::Redirect)
}

/// Fails if it could not be told whether the body is whole, or if it is in a coding: none was asked for.
fn require_whole_and_plain(headers: &HeaderMap) -> Result<(), Cause> {
    if !headers.contains_key(header::CONTENT_LENGTH) && !headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(Cause::NoLength);
    }
    let is_plain = |name, harmless| headers.get_all(name).iter().all(|list| leaves_as_is(list.as_bytes(), harmless));
    let plain = is_plain(header::CONTENT_ENCODING, "identity") && is_plain(header::TRANSFER_ENCODING, "chunked");
    if plain { Ok(()) } else { Err(Cause::Coded) }
}
