//! The composition root: configuration → parts → listeners. It owns the clock, the signals and the shutdown.

mod listeners;
mod observed;

use crate::{
    backend::{self, Backend, CpuPool},
    clock::Clock,
    config::{BackendKind, Config, LimitsConfig, SecretError},
    domain::readiness::Phase,
    edge::{
        AdminState, CertificateError, Cors, DialectRules, Ingress, PublicState, admin_routes, public_routes,
        shield::{Shield, ShieldLimits},
    },
    fetch::{Fetcher, SystemResolver},
    identity::{
        ApiKeys, Keyring,
        account_limiter::AccountLimiter,
        user_token::{self, UserTokens},
    },
    pages::Pages,
    rmbg::{ReadCheck, Rmbg, Rules},
    spool::{Budgets, DiskRules},
    store::{self, Opened},
    stripe::webhook::Webhook,
    telemetry::{Metrics, Process, panics, start_log},
    trust::TrustError,
    usage::UsageReports,
};
use hyper::header::{HeaderName, InvalidHeaderName};
use listeners::{Addresses, Listeners, Serving};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address is in use, or is not this machine's.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// From the configuration.
        address: SocketAddr,
        /// The system's error.
        error: io::Error,
    },
    /// The certificate or its private key cannot be used.
    #[error("cannot speak TLS: {0}")]
    Tls(#[from] CertificateError),
    /// The store cannot be opened.
    #[error("cannot open the store: {0}")]
    Store(#[from] store::Fault),
    /// The backend cannot be set up.
    #[error("cannot set up the backend: {0}")]
    Backend(#[from] backend::SetupError),
    /// The pepper cannot be read.
    #[error(transparent)]
    Keyring(#[from] crate::identity::KeyringError),
    /// The webhook's secrets cannot be read.
    #[error("stripe.webhook_secrets_file: {0}")]
    Stripe(#[from] SecretError),
    /// User tokens cannot be set up.
    #[error("cannot set up user tokens: {0}")]
    UserTokens(#[from] user_token::StartError),
    /// The header of user tokens has an invalid name.
    #[error("auth.user_token.header is not a header name: {0}")]
    TokenHeader(#[from] InvalidHeaderName),
    /// Authorities of https addresses that pictures are fetched from.
    #[error("dialects.url.ca_file: {0}")]
    Trust(#[from] TrustError),
    /// Another error of the system.
    #[error(transparent)]
    System(#[from] io::Error),
    /// Two metrics have one name.
    #[error(transparent)]
    Metrics(#[from] crate::telemetry::MetricsError),
}

/// How long a stop waits for holds that are not settled yet, after every connection has ended.
const LAST_SETTLING: Duration = Duration::from_secs(20);

/// Serves until the process is told to stop (SIGTERM, SIGINT), then lets requests in flight end.
pub async fn run(config: Config) -> Result<(), StartError> {
    start_log(&config.log);
    panics::watch();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    for warning in config.warnings() {
        warn!("{warning}");
    }
    let app = App::start(&config, Clock::Own).await?;
    info!(public = %app.public, plain = app.plain.map(tracing::field::display), admin = %app.admin, version = env!("CARGO_PKG_VERSION"), "serving");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    info!("stopping: no new connections are accepted, requests in flight end first");
    tokio::select! {
        () = app.stop() => info!("stopped"),
        _ = terminate.recv() => warn!("told to stop again: requests in flight are cut off"),
        _ = interrupt.recv() => warn!("told to stop again: requests in flight are cut off"),
    }
    Ok(())
}

/// A gateway that is serving.
pub struct App {
    /// The address of the public listener.
    pub public: SocketAddr,
    /// The address of the admin listener.
    pub admin: SocketAddr,
    /// The address of the public listener without TLS, if there is one.
    pub plain: Option<SocketAddr>,
    stop_public: CancellationToken,
    stop_admin: CancellationToken,
    serving: Serving,
    tasks: TaskTracker,
    api_keys: Arc<ApiKeys>,
    process: Arc<Process>,
}

impl App {
    /// Opens the store, sets up the backend and listens.
    pub async fn start(config: &Config, clock: Clock) -> Result<Self, StartError> {
        let keyring = Keyring::open(config)?;
        let metrics = Arc::new(Metrics::new()?);
        let process = Arc::new(Process::starting(clock.now().seconds()));
        observed::tell(&metrics, config);
        let Opened { metering, billing, .. } = store::open_to_serve(config, clock.clone(), metrics.store()).await?;
        let cpu_pool = CpuPool::new();
        let backend: Arc<dyn Backend> = backend::set_up(&config.backend, &cpu_pool, &metrics)?;
        let budgets = Budgets::new(config.limits.memory_budget.0, disk_rules(&config.limits))
            .with_pixels(config.limits.pixel_memory.0);
        let tasks = TaskTracker::new();
        let admin = AdminState {
            store: Arc::clone(&metering),
            backend: Arc::clone(&backend),
            metrics: Arc::clone(&metrics),
            budgets: budgets.clone(),
            process: Arc::clone(&process),
            clock: clock.clone(),
        };
        let api_keys = Arc::new(ApiKeys::new(Arc::clone(&metering), keyring));
        let token_header = HeaderName::try_from(&config.auth.user_token.header)?;
        let listeners = Listeners::bind(config, &metrics, &process).await?;
        let Addresses { public: public_at, plain, admin: admin_at } = listeners.addresses()?;
        let user_tokens = Arc::new(UserTokens::start(&config.auth.user_token).await?);
        observed::look_at_issuers(&metrics, &user_tokens);
        let public = PublicState {
            cors: Arc::new(Cors::new(config.cors.origins.clone(), &token_header)),
            ingress: ingress(config, token_header, Arc::clone(&metrics)),
            usage: UsageReports::new(Arc::clone(&metering), Arc::clone(&api_keys), clock.clone(), config.terms()),
            stripe: Webhook::new(billing, config, clock.clone(), Arc::clone(&metrics))?,
            deliveries: Arc::default(),
            rmbg: Rmbg {
                store: metering,
                backend,
                api_keys: Arc::clone(&api_keys),
                user_tokens,
                tokens: metrics.tokens(),
                account_limiter: AccountLimiter::new(clock.clone()),
                clock,
                budgets,
                cpu_pool,
                read_check: ReadCheck::default(),
                fetcher: fetcher(config, [Some(public_at), plain, Some(admin_at)])?,
                rules: rules(config),
                tasks: tasks.clone(),
                pledges: metrics.pledges(),
            },
            dialects: dialects(config),
            pages: Pages::new(config),
            metrics: Arc::clone(&metrics),
            tasks: tasks.clone(),
        };
        let (stop_public, stop_admin) = (CancellationToken::new(), CancellationToken::new());
        let (keys, stop) = (Arc::clone(&api_keys), stop_public.clone());
        tokio::spawn(panics::keep_alive(move || Arc::clone(&keys).keep_writing_uses(stop.clone())));
        let public = Arc::new(public);
        tokio::spawn(retry_parked_events(Arc::clone(&public)));
        spawn_counting_of_parked(&public, stop_public.clone());
        let serving = listeners
            .serve((public_routes(public), stop_public.clone()), (admin_routes(Arc::new(admin)), stop_admin.clone()));
        process.enters(Phase::Serving);
        Ok(Self {
            public: public_at,
            plain,
            admin: admin_at,
            stop_public,
            stop_admin,
            serving,
            tasks,
            api_keys,
            process,
        })
    }

    /// From now on the gateway says that it is not ready, and serves what still comes.
    pub fn drain(&self) {
        self.process.enters(Phase::Draining);
    }

    /// Stops accepting, lets requests in flight end and settles all of them. Health and metrics answer until the end.
    pub async fn stop(self) {
        self.drain();
        self.stop_public.cancel();
        self.serving.public.wait().await;
        self.tasks.close();
        if timeout(LAST_SETTLING, self.tasks.wait()).await.is_err() {
            warn!("the store did not take every release; the holds that remain end with their leases");
        }
        self.api_keys.write_uses().await;
        self.stop_admin.cancel();
        self.serving.admin.wait().await;
    }
}

/// Looks at parked events again, because the configuration may name their prices now. If the store is unavailable, the
/// next event does this.
async fn retry_parked_events(public: Arc<PublicState>) {
    if let Err(fault) = public.stripe.look_again().await {
        warn!(%fault, "parked events of Stripe could not be looked at; the next event does this");
    }
}

fn spawn_counting_of_parked(public: &Arc<PublicState>, stop: CancellationToken) {
    let public = Arc::clone(public);
    let counting = panics::keep_alive(move || {
        let public = Arc::clone(&public);
        async move { public.stripe.keep_counting_parked().await }
    });
    tokio::spawn(async move { stop.run_until_cancelled(counting).await });
}

fn ingress(config: &Config, token_header: HeaderName, metrics: Arc<Metrics>) -> Ingress {
    let limits = ShieldLimits {
        bad_credentials_per_minute: config.limits.bad_credentials_per_minute,
        in_flight_per_client: config.limits.in_flight_per_client,
    };
    Ingress { shield: Shield::new(limits), proxies: config.limits.proxies(), token_header, metrics }
}

fn dialects(config: &Config) -> DialectRules {
    let model = match config.backend.kind {
        BackendKind::Builtin => "u2netp",
        BackendKind::Rembg => &config.backend.rembg_model,
        BackendKind::Rmbg => "rmbg",
    };
    DialectRules {
        removebg: config.dialects.removebg,
        rembg: config.dialects.rembg.enabled,
        key_in_query: config.dialects.rembg.key_in_query,
        model: model.into(),
    }
}

fn fetcher(config: &Config, listeners: [Option<SocketAddr>; 3]) -> Result<Option<Fetcher>, StartError> {
    let resolver = Arc::new(SystemResolver::default());
    let listeners = listeners.into_iter().flatten().collect();
    Ok(Fetcher::set_up(&config.dialects.url, config.limits.transfer_rate(), listeners, resolver)?)
}

fn disk_rules(limits: &LimitsConfig) -> DiskRules {
    DiskRules {
        most: limits.spool_budget.0,
        kept_for_answers: limits.kept_for_answers(),
        max_answer: limits.max_answer.0,
        per_client: limits.held_per_client(),
        per_account: limits.held_per_account(),
    }
}

fn rules(config: &Config) -> Rules {
    Rules {
        plans: config.plans.clone(),
        terms: config.terms(),
        anonymous: config.anonymous.clone(),
        create_accounts: config.auth.user_token.create_accounts,
        upload_timeout: Duration::from_secs(config.limits.upload_timeout_s),
        upload_rate: config.limits.transfer_rate(),
        answer_timeout: Duration::from_secs(config.backend.timeout_s),
        pixel_limit: config.backend.pixel_limit(),
        longest_made: config.longest_made(),
        is_metered: config.backend.is_metered(),
        rembg_models: config.dialects.rembg.models.clone(),
    }
}
