//! The composition root: configuration → parts → listeners. Owns clock, signals and the way down.

mod listeners;

use crate::{
    backend::{self, Backend},
    clock::Clock,
    config::Config,
    edge::{Admin, Public, TlsError, admin_routes, public_routes},
    identity::Keyring,
    rmbg::{Rmbg, Rules},
    spool::{Budget, Budgets},
    store::{self, Store},
    telemetry::{Metrics, start_log},
    usage::UsageDesk,
};
use listeners::{Addresses, Listeners, Serving};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::info;

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address is taken or not ours.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// From the configuration.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// Certificate or key.
    #[error("cannot speak TLS: {0}")]
    Tls(#[from] TlsError),
    /// The store.
    #[error("cannot open the store: {0}")]
    Store(#[from] store::Fault),
    /// The backend.
    #[error("cannot set up the backend: {0}")]
    Backend(#[from] backend::SetupError),
    /// The pepper.
    #[error(transparent)]
    Keyring(#[from] crate::identity::KeyringError),
    /// Anything else of the system's.
    #[error(transparent)]
    System(#[from] io::Error),
    /// Two metrics of one name.
    #[error(transparent)]
    Metrics(#[from] crate::telemetry::MetricsError),
}

/// Serves until the process is told to stop (SIGTERM, SIGINT), then lets requests under way end.
pub async fn run(config: Config) -> Result<(), StartError> {
    start_log(&config.log);
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let app = App::start(&config, Clock::Own).await?;
    info!(public = %app.public, plain = app.plain.map(tracing::field::display), admin = %app.admin, version = env!("CARGO_PKG_VERSION"), "serving");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    info!("stopping: no new connections, requests under way end first");
    app.stop().await;
    info!("stopped");
    Ok(())
}

/// A gateway that is serving.
pub struct App {
    /// Where the public listener is.
    pub public: SocketAddr,
    /// Where the admin listener is.
    pub admin: SocketAddr,
    /// Where the public listener without TLS is, when there is one beside it.
    pub plain: Option<SocketAddr>,
    stop_public: CancellationToken,
    stop_admin: CancellationToken,
    serving: Serving,
    tasks: TaskTracker,
}

impl App {
    /// Opens the store, sets up the backend and listens.
    pub async fn start(config: &Config, clock: Clock) -> Result<Self, StartError> {
        let keyring = Keyring::open(config)?;
        let store: Arc<dyn Store> = store::open(&config.store, clock.clone()).await?;
        let backend: Arc<dyn Backend> = backend::set_up(&config.backend)?;
        let metrics = Arc::new(Metrics::new()?);
        let budgets = Budgets {
            memory: Budget::new(config.limits.memory_budget.0),
            disk: Budget::new(config.limits.spool_budget.0),
        };
        let tasks = TaskTracker::new();
        let admin = Admin {
            store: Arc::clone(&store),
            backend: Arc::clone(&backend),
            metrics: Arc::clone(&metrics),
            budgets: budgets.clone(),
        };
        let public = Public {
            usage: UsageDesk { store: Arc::clone(&store), keyring: keyring.clone(), clock: clock.clone() },
            rmbg: Rmbg { store, backend, keyring, clock, budgets, rules: rules(config) },
            metrics,
            tasks: tasks.clone(),
        };
        let listeners = Listeners::bind(config).await?;
        let Addresses { public: public_at, plain, admin: admin_at } = listeners.addresses()?;
        let (stop_public, stop_admin) = (CancellationToken::new(), CancellationToken::new());
        let serving = listeners.serve(
            (public_routes(Arc::new(public)), stop_public.clone()),
            (admin_routes(Arc::new(admin)), stop_admin.clone()),
        );
        Ok(Self { public: public_at, plain, admin: admin_at, stop_public, stop_admin, serving, tasks })
    }

    /// Accepts no more, lets requests under way end and settles all of them. Health and metrics answer to the last.
    pub async fn stop(self) {
        self.stop_public.cancel();
        self.serving.public.wait().await;
        self.tasks.close();
        self.tasks.wait().await;
        self.stop_admin.cancel();
        self.serving.admin.wait().await;
    }
}

fn rules(config: &Config) -> Rules {
    Rules {
        plans: config.plans.clone(),
        default_plan: config.default_plan.clone(),
        upload_timeout: Duration::from_secs(config.limits.upload_timeout_s),
        upload_pace: config.limits.pace(),
        answer_timeout: Duration::from_secs(config.backend.timeout_s),
        pixel_limit: config.backend.pixel_limit(),
        max_answer: config.limits.max_answer.0,
    }
}
