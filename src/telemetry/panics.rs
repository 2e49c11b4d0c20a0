//! Panics: mistakes of this program, each of which may end one piece of work and nothing else.
//!
//! A serving process [watches](watch) for panics: every one, on whichever thread, is counted and logged where it
//! happens. The code that waits for the work catches it.

use super::flood;
use crate::domain::shared_text::SharedText;
use futures_util::FutureExt as _;
use std::{
    any::Any,
    panic::{self, AssertUnwindSafe, PanicHookInfo},
    process,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};
use tokio::{task::JoinError, time::sleep};
use tracing::{Level, error};

/// The pause between a panic of work that must go on and its next start.
const PAUSE: Duration = Duration::from_secs(1);

static TOTAL: AtomicU64 = AtomicU64::new(0);

tokio::task_local! {
    /// The id of the request that this task works on, for the log.
    static REQUEST: SharedText;
}

/// A piece of work panicked. Its message may hold anything and is dropped; the log says where it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panicked;

/// From now on every panic of this process is counted and logged, instead of printed.
pub fn watch() {
    panic::set_hook(Box::new(note));
}

/// Panics since [`watch`].
#[must_use]
pub fn total() -> u64 {
    TOTAL.load(Ordering::Relaxed)
}

/// Logs where it happened, and the message only if every word of it is in the program's text. A message that was
/// formatted at run time may hold a caller's data, or a secret.
fn note(panic: &PanicHookInfo<'_>) {
    TOTAL.fetch_add(1, Ordering::Relaxed);
    if !flood::may_write("panic", Level::ERROR) {
        return;
    }
    let at = panic.location().map_or_else(|| "an unknown place".into(), ToString::to_string);
    let said = literal(panic.payload());
    let request_id = REQUEST.try_with(SharedText::clone).ok();
    let thread = thread::current();
    let request_id = request_id.as_deref();
    error!(at, said, request_id, thread = thread.name(), "a panic; the work that was in progress there has failed");
}

fn literal(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("-")
}

/// Runs work to its end, or until it panics. (An `async fn` would hold the work twice: as its argument, and to wait for it.)
pub fn caught<T>(work: impl Future<Output = T>) -> impl Future<Output = Result<T, Panicked>> {
    AssertUnwindSafe(work).catch_unwind().map(|done| done.map_err(|_| Panicked))
}

/// Runs work of a request: a panic in it is logged with the request's id.
pub fn of_request<T>(request_id: SharedText, work: impl Future<Output = T>) -> impl Future<Output = T> {
    REQUEST.scope(request_id, work)
}

/// The same for work that blocks its thread.
pub fn of_request_here<T>(request_id: &SharedText, work: impl FnOnce() -> T) -> T {
    REQUEST.sync_scope(request_id.clone(), work)
}

/// Handles a task that did not come to its end. If it panicked, the panic goes on in the code that waited for it,
/// without being counted again. Otherwise the task was cancelled.
#[must_use]
pub fn pass_on(error: JoinError) -> &'static str {
    match error.try_into_panic() {
        Ok(payload) => panic::resume_unwind(payload),
        Err(_) => "it was cancelled",
    }
}

/// Runs the work, and starts it again a moment after each panic. It is for work that nobody waits for.
pub async fn keep_alive<W: Future<Output = ()>>(work: impl Fn() -> W) {
    start_anew_after(PAUSE, work).await;
}

async fn start_anew_after<W: Future<Output = ()>>(pause: Duration, work: impl Fn() -> W) {
    while caught(work()).await.is_err() {
        sleep(pause).await;
    }
}

/// Runs work that the process cannot do without and cannot start again. Its panic ends the process, so that a
/// supervisor restarts it, instead of leaving one that hangs. Everything promised is on the disk.
pub async fn or_die(work: impl Future<Output = ()>) {
    if caught(work).await.is_err() {
        error!("the process cannot go on without this work, and ends");
        process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn only_words_of_the_programs_own_are_told() {
        let secret = String::from("a caller's own");
        assert_eq!(literal(&"attempt to divide by zero"), "attempt to divide by zero");
        assert_eq!(literal(&secret), "-");
    }

    #[tokio::test]
    async fn the_panic_of_a_task_goes_on_in_whoever_waits_for_it() {
        let task = tokio::spawn(async { panic!("in the task") });
        let waiting = caught(async move { task.await.map_err(pass_on) }).await;
        assert_eq!(waiting, Err::<Result<(), &str>, _>(Panicked));
        let task = tokio::spawn(std::future::pending::<()>());
        task.abort();
        assert_eq!(task.await.map_err(pass_on), Err("it was cancelled"));
    }

    #[tokio::test]
    async fn what_must_go_on_is_started_anew() {
        let starts = AtomicUsize::new(0);
        start_anew_after(Duration::ZERO, async || assert!(starts.fetch_add(1, Ordering::Relaxed) >= 2, "not yet"))
            .await;
        assert_eq!(starts.into_inner(), 3);
    }
}
