//! The listeners that the configuration asks for.

use super::StartError;
use crate::{
    config::Config,
    edge::{ConnectionLimits, ConnectionRules, Listener, Live, Pair, Sockets, Tls, Workers},
    telemetry::{ConnectionMetrics, Metrics, Process, panics},
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Connections at once on the admin listener.
const ADMIN_CONNECTIONS: usize = 64;

/// Listeners that are bound and do not serve yet.
pub(super) struct Listeners {
    public: Listener,
    plain: Option<Listener>,
    admin: Listener,
    tls: Option<Arc<Tls>>,
    workers: Arc<Workers>,
}

/// The addresses that they listen on.
pub(super) struct Addresses {
    pub(super) public: SocketAddr,
    pub(super) plain: Option<SocketAddr>,
    pub(super) admin: SocketAddr,
}

impl Listeners {
    pub(super) async fn bind(config: &Config, metrics: &Metrics, process: &Arc<Process>) -> Result<Self, StartError> {
        let listen = &config.listen;
        let tls = match listen.tls_files() {
            Some((certificate, key)) => {
                Some(Arc::new(Tls::new(Pair::read(certificate, key).await?, Arc::clone(process))?))
            }
            None => None,
        };
        let mut sockets = Sockets::from_environment(listen.reuse_port)?;
        let mut socket = |address| sockets.take(address).map_err(|error| StartError::Listen { address, error });
        let rules = rules(config);
        let limits = ConnectionLimits::new(rules.clone(), metrics.connections(rules.connections));
        let admin_rules = ConnectionRules {
            connections: ADMIN_CONNECTIONS,
            connections_per_client: ADMIN_CONNECTIONS,
            proxy_protocol_from: Vec::new(),
            ..rules
        };
        let admin_limits = ConnectionLimits::new(admin_rules, ConnectionMetrics::unseen()?);
        let workers = Arc::new(Workers::start(listen.workers())?);
        let new = |socket, limits, tls| Listener::new(socket, limits, tls, Arc::clone(&workers));
        let public = new(socket(listen.public)?, Arc::clone(&limits), tls.clone());
        let plain = listen.plain.map(&mut socket).transpose()?.map(|socket| new(socket, limits, None));
        let admin = Listener::new(socket(listen.admin)?, admin_limits, None, Arc::new(Workers::start(1)?));
        sockets.warn_of_the_rest();
        Ok(Self { public, plain, admin, tls, workers })
    }

    pub(super) fn addresses(&self) -> Result<Addresses, StartError> {
        Ok(Addresses {
            public: self.public.address()?,
            plain: self.plain.as_ref().map(Listener::address).transpose()?,
            admin: self.admin.address()?,
        })
    }

    /// The certificate of the public listener.
    pub(super) fn tls(&self) -> Option<Arc<Tls>> {
        self.tls.clone()
    }

    /// The threads that serve connections, and what these have begun.
    pub(super) fn workers(&self) -> Arc<Workers> {
        Arc::clone(&self.workers)
    }

    /// Serves the public and the admin routes, each until its own `stop`. Each tracker is empty once its listeners have
    /// ended.
    pub(super) fn serve(self, public: (Live, CancellationToken), admin: (Live, CancellationToken)) -> Serving {
        let serving = Serving { public: TaskTracker::new(), admin: TaskTracker::new() };
        let (live, stop) = public;
        if let Some(tls) = self.tls {
            let until = stop.clone();
            serving.public.spawn(panics::keep_alive(move || Arc::clone(&tls).keep_fresh(until.clone())));
        }
        if let Some(plain) = self.plain {
            serving.public.spawn(panics::or_die(plain.serve(Arc::clone(&live), stop.clone())));
        }
        serving.public.spawn(panics::or_die(self.public.serve(live, stop)));
        serving.admin.spawn(panics::or_die(self.admin.serve(admin.0, admin.1)));
        serving.public.close();
        serving.admin.close();
        serving
    }
}

/// The listeners that serve.
pub(super) struct Serving {
    pub(super) public: TaskTracker,
    pub(super) admin: TaskTracker,
}

fn rules(config: &Config) -> ConnectionRules {
    let (limits, listen) = (&config.limits, &config.listen);
    ConnectionRules {
        connections: limits.connections as usize,
        connections_per_client: limits.connections_per_client as usize,
        proxy_protocol_from: listen.proxy_protocol_from.clone(),
        head_timeout: Duration::from_secs(listen.head_timeout_s),
        idle_timeout: Duration::from_secs(listen.idle_timeout_s),
    }
}
