//! The composition root: configuration → parts → listeners. Owns clock, signals and the way down.

use crate::{
    backend::{self, Backend},
    clock::Clock,
    config::Config,
    edge::{Admin, Listener, ListenerLimits, Public, admin_routes, public_routes},
    identity::Keyring,
    rmbg::{Rmbg, Rules},
    spool::{Budget, Budgets},
    store::{self, Store},
    telemetry::{Metrics, start_log},
    usage::UsageDesk,
};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::info;

/// For a request's head, and between two requests of one connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections at once on the admin listener.
const ADMIN_CONNECTIONS: usize = 64;

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
    info!(public = %app.public, admin = %app.admin, version = env!("CARGO_PKG_VERSION"), "serving");
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
    stop_public: CancellationToken,
    stop_admin: CancellationToken,
    listeners: [JoinHandle<()>; 2],
    tasks: TaskTracker,
}

impl App {
    /// Opens the store, sets up the backend and listens.
    pub async fn start(config: &Config, clock: Clock) -> Result<Self, StartError> {
        let keyring = Keyring::open(config)?;
        let store: Arc<dyn Store> = store::open_to_serve(&config.store, clock.clone()).await?;
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
        let public_socket = bind(config.listen.public, config.limits.connections as usize).await?;
        let admin_socket = bind(config.listen.admin, ADMIN_CONNECTIONS).await?;
        let (stop_public, stop_admin) = (CancellationToken::new(), CancellationToken::new());
        let grace = Duration::from_secs(config.limits.upload_timeout_s + config.backend.timeout_s);
        Ok(Self {
            public: public_socket.address()?,
            admin: admin_socket.address()?,
            listeners: [
                tokio::spawn(public_socket.serve(public_routes(Arc::new(public)), stop_public.clone(), grace)),
                tokio::spawn(admin_socket.serve(admin_routes(Arc::new(admin)), stop_admin.clone(), Duration::ZERO)),
            ],
            stop_public,
            stop_admin,
            tasks,
        })
    }

    /// Accepts no more, lets requests under way end and settles all of them. Health and metrics answer to the last.
    pub async fn stop(self) {
        let [public, admin] = self.listeners;
        self.stop_public.cancel();
        drop(public.await);
        self.tasks.close();
        self.tasks.wait().await;
        self.stop_admin.cancel();
        drop(admin.await);
    }
}

fn rules(config: &Config) -> Rules {
    Rules {
        plans: config.plans.clone(),
        default_plan: config.default_plan.clone(),
        upload_timeout: Duration::from_secs(config.limits.upload_timeout_s),
        answer_timeout: Duration::from_secs(config.backend.timeout_s),
        pixel_limit: config.backend.pixel_limit(),
        max_answer: config.limits.max_answer.0,
    }
}

async fn bind(address: SocketAddr, connections: usize) -> Result<Listener, StartError> {
    let limits = ListenerLimits { connections, head_timeout: HEAD_TIMEOUT };
    Listener::bind(address, limits).await.map_err(|error| StartError::Listen { address, error })
}
