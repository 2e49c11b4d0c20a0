//! The composition root: configuration → parts → listeners. It owns the clock, the signals, the reloads and the shutdown.

mod error;
mod listeners;
mod observed;
mod reload;
mod run;
mod settings;

pub use error::{ReloadError, StartError};
pub use run::{ReadAgain, run};

use crate::{
    backend::{self, Backend, CpuPool},
    clock::Clock,
    config::{Config, ConfigErrors},
    domain::readiness::Phase,
    edge::{AdminState, Cors, Ingress, PublicState, Workers, admin_routes, shield::Shield},
    fetch::{Fetcher, SystemResolver},
    identity::{ApiKeys, Keyring, account_limiter::AccountLimiter, user_token::UserTokens},
    pages::Pages,
    rmbg::{ReadCheck, Rmbg},
    spool::Budgets,
    store::{self, Opened},
    stripe::{reprocess::Reprocessor, webhook::Webhook},
    telemetry::{Metrics, Process, panics},
    usage::UsageReports,
};
use futures_util::future::BoxFuture;
use hyper::header::HeaderName;
use listeners::{Addresses, Listeners, Serving};
use reload::{Parts, Reloads};
use settings::{dialects, disk_rules, rules, shield_limits};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

/// How long a stop waits for holds that are not settled yet, after every connection has ended.
const LAST_SETTLING: Duration = Duration::from_secs(20);

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
    reloads: Reloads,
    /// They go on with what connections have begun, until the last credit is settled.
    workers: Arc<Workers>,
}

impl App {
    /// Opens the store, sets up the backend and listens.
    #[must_use]
    pub fn start(config: &Config, clock: Clock) -> BoxFuture<'_, Result<Self, StartError>> {
        // Boxed, as everything that waits for a start would carry all of its steps.
        Box::pin(Self::set_up(config, clock))
    }

    async fn set_up(config: &Config, clock: Clock) -> Result<Self, StartError> {
        let keyring = Keyring::open(config)?;
        let metrics = Arc::new(Metrics::new()?);
        let process = Arc::new(Process::starting(clock.now().seconds()));
        observed::tell(&metrics, config);
        let reprocessor = Arc::new(Reprocessor::new(config, clock.clone()));
        let Opened { metering, billing, terms, .. } =
            store::open_to_serve(config, clock.clone(), metrics.store(), Arc::clone(&reprocessor) as _).await?;
        let cpu_pool = CpuPool::new();
        let backend: Arc<dyn Backend> = backend::set_up(&config.backend, &cpu_pool, &metrics)?;
        let (budgets, tasks) = (budgets(config), TaskTracker::new());
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
        let (addresses, workers) = (listeners.addresses()?, listeners.workers());
        let usage = UsageReports::new(Arc::clone(&metering), Arc::clone(&api_keys), clock.clone(), config.terms());
        let public = PublicState {
            cors: Arc::new(Cors::new(config.cors.origins.clone(), &token_header)),
            ingress: ingress(config, token_header, &metrics),
            usage: Arc::new(usage),
            stripe: Arc::new(Webhook::new(billing, config, clock.clone(), Arc::clone(&metrics), reprocessor)?),
            deliveries: Arc::default(),
            rmbg: Rmbg {
                store: metering,
                backend: Arc::clone(&backend),
                api_keys: Arc::clone(&api_keys),
                user_tokens: user_tokens(config, &metrics).await?,
                tokens: metrics.tokens(),
                account_limiter: Arc::new(AccountLimiter::new(clock.clone())),
                clock: clock.clone(),
                budgets: budgets.clone(),
                cpu_pool,
                read_check: ReadCheck::default(),
                fetcher: fetcher(config, [Some(addresses.public), addresses.plain, Some(addresses.admin)])?,
                rules: rules(config),
                tasks: tasks.clone(),
                pledges: metrics.pledges(),
            },
            dialects: dialects(config),
            pages: Arc::new(Pages::new(config)),
            metrics: Arc::clone(&metrics),
            tasks: tasks.clone(),
        };
        let (stop_public, stop_admin) = (CancellationToken::new(), CancellationToken::new());
        spawn_recurring_work(&api_keys, &public.stripe, &stop_public);
        let parts = Parts { terms, backend, budgets, tls: listeners.tls(), process: Arc::clone(&process), clock };
        let reloads = Reloads::new(parts, config.clone(), public, admin_routes(Arc::new(admin)));
        let serving = listeners.serve((reloads.public(), stop_public.clone()), (reloads.admin(), stop_admin.clone()));
        process.enters(Phase::Serving);
        let Addresses { public, plain, admin } = addresses;
        Ok(Self { public, admin, plain, stop_public, stop_admin, serving, tasks, api_keys, process, reloads, workers })
    }

    /// Takes up a configuration that was read again, if it differs only in settings that allow it. Otherwise nothing
    /// changes. Either is logged. One reload runs at a time, and requests under way keep the settings that they began with.
    pub async fn reload(&self, read: Result<Config, ConfigErrors>) -> Result<(), ReloadError> {
        self.reloads.reload(read).await
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
        drop(self.workers);
    }
}

/// Looks at parked events again, because the configuration may name their prices now. If the store is unavailable, the
/// next event does this.
async fn retry_parked_events(stripe: Arc<Webhook>) {
    if let Err(fault) = stripe.look_again().await {
        warn!(%fault, "parked events of Stripe could not be looked at; the next event does this");
    }
}

/// Writes down the uses of keys and counts parked events, now and then until `stop`. Looks at parked events again now.
fn spawn_recurring_work(api_keys: &Arc<ApiKeys>, stripe: &Arc<Webhook>, stop: &CancellationToken) {
    let (keys, until) = (Arc::clone(api_keys), stop.clone());
    tokio::spawn(panics::keep_alive(move || Arc::clone(&keys).keep_writing_uses(until.clone())));
    tokio::spawn(retry_parked_events(Arc::clone(stripe)));
    let (stripe, stop) = (Arc::clone(stripe), stop.clone());
    let counting = panics::keep_alive(move || {
        let stripe = Arc::clone(&stripe);
        async move { stripe.keep_counting_parked().await }
    });
    tokio::spawn(async move { stop.run_until_cancelled(counting).await });
}

/// Starts to keep the issuers' keys fresh.
async fn user_tokens(config: &Config, metrics: &Metrics) -> Result<Arc<UserTokens>, StartError> {
    let user_tokens = Arc::new(UserTokens::start(&config.auth.user_token).await?);
    observed::look_at_issuers(metrics, &user_tokens);
    Ok(user_tokens)
}

fn budgets(config: &Config) -> Budgets {
    let limits = &config.limits;
    Budgets::new(limits.memory_budget.0, disk_rules(config)).with_pixels(limits.pixel_memory.0)
}

fn ingress(config: &Config, token_header: HeaderName, metrics: &Arc<Metrics>) -> Ingress {
    let shield = Shield::new(shield_limits(config));
    Ingress { shield, proxies: config.limits.proxies(), token_header, metrics: Arc::clone(metrics) }
}

fn fetcher(config: &Config, listeners: [Option<SocketAddr>; 3]) -> Result<Option<Fetcher>, StartError> {
    let resolver = Arc::new(SystemResolver::default());
    let listeners = listeners.into_iter().flatten().collect();
    Ok(Fetcher::set_up(&config.dialects.url, config.limits.transfer_rate(), listeners, resolver)?)
}
