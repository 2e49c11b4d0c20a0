//! Several services as one backend. The pool uses the least busy service and ejects failing ones until they recover.

use super::{
    Answer, Backend, CutRequest, Failure, KeyValues, SharedAccount,
    credentials::Keys,
    exchange::{AttemptError, Exchange, Retry},
    health::{Alone, Health},
    queue::{Queue, Slot},
    service::Service,
};
use crate::{
    domain::answer::is_about_our_key,
    failpoint::{self, Point},
    outlasting::Outlasting,
    telemetry::{BackendGauges, BackendMetrics, Metrics, ServiceGauges, flood, panics},
};
use async_trait::async_trait;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tokio_util::task::AbortOnDropHandle;
use tracing::{Level, info, warn};

/// Statuses by which a proxy in front of a service says that the service is not available.
const NO_SERVICE: [u16; 3] = [502, 503, 504];

/// A service, and its address for logs and metrics.
pub(super) type NamedService = (String, Service);

/// Our keys at the services, and the account that shows whether a key is good.
pub(super) struct OurAccounts {
    pub(super) keys: Arc<Keys>,
    pub(super) shared: Option<Arc<SharedAccount>>,
}

/// A pool of services that do the same work.
pub(super) struct Pool {
    members: Arc<Members>,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

/// How a pool treats its services.
#[derive(Clone, Copy, Debug)]
pub(super) struct PoolSettings {
    /// How many pictures each service gets at once.
    pub(super) concurrency: usize,
    /// How many requests may wait for each slot.
    pub(super) waiting_per_slot: usize,
    /// The time between two health checks.
    pub(super) check_interval: Duration,
    /// The time within which a service must answer a health check.
    pub(super) check_patience: Duration,
}

struct Members {
    services: Vec<Member>,
    queue: Queue,
    /// How many requests were answered with a picture.
    served: AtomicU64,
    ours: OurAccounts,
    concurrency: usize,
}

struct Member {
    name: Arc<str>,
    service: Service,
    metrics: BackendMetrics,
    health: Mutex<Health>,
    /// Whether the latest health check was answered; `None` before the first one.
    latest_check: watch::Sender<Option<bool>>,
}

impl Pool {
    /// Starts a pool of named services. Until it is dropped, it checks their health, and it watches our account if
    /// there is one.
    ///
    /// Needs a running tokio runtime.
    pub(super) fn start(
        services: Vec<NamedService>,
        ours: OurAccounts,
        settings: PoolSettings,
        metrics: &Metrics,
    ) -> Self {
        let slots = vec![settings.concurrency; services.len()];
        let most_waiting = slots.iter().sum::<usize>().saturating_mul(settings.waiting_per_slot);
        let member = |(name, service): NamedService| Member {
            metrics: metrics.of_backend(&name),
            name: name.into(),
            service,
            health: Mutex::new(Health::new(settings.concurrency, settings.check_interval)),
            latest_check: watch::Sender::new(None),
        };
        let members = Arc::new(Members {
            services: services.into_iter().map(member).collect(),
            queue: Queue::new(&slots, most_waiting, settings.check_interval, metrics.queue()),
            served: AtomicU64::new(0),
            ours,
            concurrency: settings.concurrency,
        });
        let check = |at| {
            let members = Arc::clone(&members);
            let again = move || check_for_ever(Arc::clone(&members), at, settings);
            AbortOnDropHandle::new(tokio::spawn(panics::keep_alive(again)))
        };
        let mut tasks: Vec<_> = (0..slots.len()).map(check).collect();
        let shared = Arc::clone(&members);
        let watch = panics::keep_alive(move || watch_account(Arc::clone(&shared)));
        tasks.push(AbortOnDropHandle::new(tokio::spawn(watch)));
        Self { members, _tasks: tasks }
    }
}

#[async_trait]
impl Backend for Pool {
    async fn cut(&self, request: &Arc<CutRequest>) -> Result<Answer, Failure> {
        let members = &self.members;
        let mut tried = Vec::new();
        let mut failed: Option<Failure> = None;
        loop {
            // If no other service can be used, the earlier failure says more than the lack of one.
            let mut slot = match members.queue.enter(request, &tried).await {
                Ok(slot) => slot,
                Err(busy) => return Err(failed.unwrap_or(busy)),
            };
            let at = slot.service();
            let Some(member) = members.services.get(at) else { return Err(Failure::TimedOut) };
            if let (Some(failure), Some(last)) = (&failed, tried.last().and_then(|at| members.services.get(*at))) {
                last.metrics.retried();
                tell_of_retry(request, &member.name, failure);
            }
            let sent_whole = Arc::<AtomicBool>::default();
            let exchange =
                Exchange { request: Arc::clone(request), room: slot.take_room(), sent_whole: Arc::clone(&sent_whole) };
            let outcome = Arc::clone(members).run(slot, exchange);
            let request_id = request.request_id.clone();
            // A service that was sent the whole request goes on working when the caller has left, and its slot is not free
            // until it has finished.
            let outcome = Outlasting::new(outcome, move |rest, runtime| {
                if sent_whole.load(Ordering::Acquire) {
                    runtime.spawn(panics::of_request(request_id, rest));
                }
            });
            match outcome.await {
                Ok(answer) => return member.service.finish(request, answer).await,
                Err(AttemptError { failure, retry: Retry::Final }) => return Err(failure),
                Err(AttemptError { failure, retry: Retry::MayBeAsked }) => {
                    tried.push(at);
                    failed = Some(failure);
                }
            }
        }
    }

    /// Whether any service that is not ejected has answered its latest health check.
    async fn ready(&self) -> bool {
        for member in &self.members.services {
            let mut latest = member.latest_check.subscribe();
            let passed = latest.wait_for(Option::is_some).await.is_ok_and(|passed| *passed == Some(true));
            if passed && member.health().allowed() > 0 {
                return true;
            }
        }
        false
    }

    fn gauges(&self) -> BackendGauges {
        let Members { services, queue, ours, served, concurrency } = &*self.members;
        let gauges = |(at, member): (usize, &Member)| ServiceGauges {
            name: member.name.to_string(),
            in_flight: queue.in_flight(at) as u64,
            in_flight_limit: *concurrency as u64,
            up: member.health().allowed() > 0,
        };
        BackendGauges {
            waiting: queue.waiting() as u64,
            waiting_limit: queue.most_waiting() as u64,
            services: services.iter().enumerate().map(gauges).collect(),
            keys: ours.keys.gauges(Instant::now()),
            account: ours.shared.as_ref().and_then(|account| account.gauges()),
            pictures: served.load(Ordering::Relaxed),
        }
    }

    fn use_keys(&self, values: KeyValues) {
        self.members.ours.keys.replace(values);
    }
}

impl Members {
    /// Sends the request to the service that the slot is for.
    async fn run(self: Arc<Self>, slot: Slot, mut exchange: Exchange) -> Result<Answer, AttemptError> {
        let at = slot.service();
        let Some(member) = self.services.get(at) else { return Err(AttemptError::last(Failure::TimedOut)) };
        failpoint::reach(Point::InExchange);
        let used = exchange.request.used.clone();
        let asking = used.asking(Arc::clone(&member.name));
        let outcome = member.service.send(&mut exchange).await;
        drop(asking);
        let learnt = learnt_of(&outcome, &exchange.request).await;
        match learnt {
            // Waiting requests wait for pictures. A page that comes at once does not show how long a picture takes.
            Learnt::Served | Learnt::TookTooLong => slot.worked(),
            Learnt::Answered | Learnt::Failed | Learnt::Nothing => drop(slot),
        }
        if let (Learnt::Served, Ok(answer)) = (&learnt, &outcome) {
            exchange.request.room.learn(answer.body.len());
        }
        self.learn(at, learnt);
        outcome
    }

    /// Records what a request's outcome says about the service.
    fn learn(&self, at: usize, learnt: Learnt) {
        match learnt {
            Learnt::Served => {
                self.served.fetch_add(1, Ordering::Relaxed);
                self.change(at, Health::answered);
            }
            Learnt::Answered => self.change(at, Health::answered),
            Learnt::Failed | Learnt::TookTooLong => {
                let alone = self.alone(at);
                self.change(at, |health| health.failed(Instant::now(), alone));
            }
            Learnt::Nothing => {}
        }
    }

    fn alone(&self, at: usize) -> Alone {
        let up = |(other, member): (usize, &Member)| other != at && member.health().allowed() > 0;
        if self.services.iter().enumerate().any(up) { Alone::No } else { Alone::Yes }
    }

    fn change(&self, at: usize, event: impl FnOnce(&mut Health)) {
        let Some(member) = self.services.get(at) else { return };
        let (before, now) = {
            let mut health = member.health();
            let before = health.allowed();
            event(&mut health);
            // This happens under the lock, so that the queue receives two changes in the order in which they were made.
            if before != health.allowed() {
                self.queue.allow(at, health.allowed());
            }
            (before, health.allowed())
        };
        match (before, now) {
            (1.., 0) => {
                member.metrics.ejected();
                warn!(
                    backend = &*member.name,
                    "the service is ejected: it gets no pictures until it answers a health check"
                );
            }
            (0, 1..) => info!(backend = &*member.name, "the service answers again: it gets one picture first"),
            _ => {}
        }
    }
}

/// The conclusion about a service from a request's outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Learnt {
    /// The service works: it returned a picture.
    Served,
    /// The service answers, and it has refused this request.
    Answered,
    /// The service does not work. An answer that is a page instead of a picture counts as such: a service that returns
    /// one to everybody answers faster than the working ones, and would get more requests than they do. Callers who can
    /// provoke such a page can eject all but the last service, as long as no other caller is served in between.
    Failed,
    /// The service does not work, and it used up the time until the deadline.
    TookTooLong,
    /// The service got no request, or its answer is about the picture or our key.
    Nothing,
}

async fn learnt_of(outcome: &Result<Answer, AttemptError>, request: &CutRequest) -> Learnt {
    match outcome {
        Ok(answer) if (200..300).contains(&answer.status) => match answer.is_picture_for(&request.form).await {
            Ok(()) => Learnt::Served,
            Err(_) => Learnt::Failed,
        },
        Ok(answer) if NO_SERVICE.contains(&answer.status) => Learnt::Failed,
        // Whether the service or a proxy sent this, it does not say whether the service can cut pictures.
        Ok(answer) if is_about_our_key(answer.status) => Learnt::Nothing,
        Ok(_) => Learnt::Answered,
        Err(AttemptError { failure, .. }) => match failure {
            Failure::Failed(_) => Learnt::Failed,
            Failure::TimedOut => Learnt::TookTooLong,
            Failure::Unavailable { .. } | Failure::Unreadable(_) | Failure::TooMuch(_) => Learnt::Nothing,
        },
    }
}

impl Member {
    fn health(&self) -> MutexGuard<'_, Health> {
        // A panic cannot leave the health half changed.
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// If this service does not answer either, the request's own line is the warning.
fn tell_of_retry(request: &CutRequest, next: &str, failure: &Failure) {
    if flood::may_write("retry", Level::INFO) {
        let (request_id, cause) = (request.request_id.as_str(), failure.cause());
        info!(backend = next, request_id, cause, "a picture goes to another service");
    }
}

async fn watch_account(members: Arc<Members>) {
    if let Some(account) = &members.ours.shared {
        account.watch(|| members.served.load(Ordering::Relaxed)).await;
    }
}

/// Detects a service that hangs before callers notice, and one that has recovered.
async fn check_for_ever(members: Arc<Members>, at: usize, settings: PoolSettings) {
    let mut ticks = interval(settings.check_interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let Some(member) = members.services.get(at) else { return };
    loop {
        ticks.tick().await;
        let passed = timeout(settings.check_patience, member.service.probe()).await.unwrap_or(false);
        let now = Instant::now();
        members.change(at, |health| if passed { health.check_passed(now) } else { health.check_missed(now) });
        member.latest_check.send_replace(Some(passed));
    }
}
