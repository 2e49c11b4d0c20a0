//! Panics: mistakes of this program, each of which may end one piece of work and nothing else.
//!
//! A serving process [watches](watch): every panic, on whichever thread, is counted and logged where it happens. What
//! was under way there is caught by whoever waits for it.

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
use tracing::error;

/// Between a panic of something that must go on and its next start.
const PAUSE: Duration = Duration::from_secs(1);

static TOTAL: AtomicU64 = AtomicU64::new(0);

tokio::task_local! {
    /// The id of the request that is worked on, for the log.
    static REQUEST: String;
}

/// A piece of work panicked. What it said may hold anything and is gone; where it was is in the log.
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

/// Where it was, and what it said only if the program's text holds every word of it: a message that was made when it was
/// needed may hold what a caller sent, or a secret.
fn note(panic: &PanicHookInfo<'_>) {
    TOTAL.fetch_add(1, Ordering::Relaxed);
    let at = panic.location().map_or_else(|| "an unknown place".into(), ToString::to_string);
    let said = literal(panic.payload());
    let request = REQUEST.try_with(String::clone).unwrap_or_else(|_| "-".into());
    let thread = thread::current();
    error!(at, said, request, thread = thread.name().unwrap_or("-"), "a panic; what was under way there has failed");
}

fn literal(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("-")
}

/// Runs work to its end, or until it panics.
pub async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|_| Panicked)
}

/// Runs work of a request: a panic in it is logged with the request's id.
pub async fn of_request<T>(request_id: String, work: impl Future<Output = T>) -> T {
    REQUEST.scope(request_id, work).await
}

/// The same for work that blocks its thread.
pub fn of_request_here<T>(request_id: &str, work: impl FnOnce() -> T) -> T {
    REQUEST.sync_scope(request_id.to_owned(), work)
}

/// A task did not come to its end: its panic goes on in whoever waited for it, without being counted again. Otherwise it
/// was called off.
#[must_use]
pub fn pass_on(error: JoinError) -> &'static str {
    match error.try_into_panic() {
        Ok(payload) => panic::resume_unwind(payload),
        Err(_) => "it was called off",
    }
}

/// Goes on for as long as the work does, and starts it anew a moment after each panic: for what nobody waits for, and
/// nobody would miss at once.
pub async fn keep_alive<W: Future<Output = ()>>(work: impl Fn() -> W) {
    start_anew_after(PAUSE, work).await;
}

async fn start_anew_after<W: Future<Output = ()>>(pause: Duration, work: impl Fn() -> W) {
    while caught(work()).await.is_err() {
        sleep(pause).await;
    }
}

/// For what nothing works without and nobody can start anew: its panic ends the process, which somebody else starts again,
/// rather than leave one that hangs. What was promised is on the disk.
pub async fn or_die(work: impl Future<Output = ()>) {
    if caught(work).await.is_err() {
        error!("this cannot go on without it: the process ends");
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
        assert_eq!(task.await.map_err(pass_on), Err("it was called off"));
    }

    #[tokio::test]
    async fn what_must_go_on_is_started_anew() {
        let starts = AtomicUsize::new(0);
        start_anew_after(Duration::ZERO, async || assert!(starts.fetch_add(1, Ordering::Relaxed) >= 2, "not yet"))
            .await;
        assert_eq!(starts.into_inner(), 3);
    }
}
