//! Step 2: in one atomic step and before the body is read, the store checks the limits and holds one credit.

use super::{Rmbg, Rules, Stop, caller::Caller, settle::Pledge};
use crate::{
    domain::{
        account::Account,
        credit::{Admission, Denial, Hold, HoldRequest, Remaining},
        limit::{Limit, LimitState},
        refusal::{Refusal, Shortage},
    },
    identity::account_limiter::Passed,
    store,
    telemetry::{Record, RejectedBy},
};
use std::time::Duration;

/// Rejects a flood of requests of one account before the store is asked. Returns `None` if the caller is not counted
/// here.
pub(super) fn account_limiter(rmbg: &Rmbg, caller: &Caller, record: &mut Record) -> Result<Option<Passed>, Stop> {
    let Some((account, burst)) = caller.account().zip(caller.burst(&rmbg.rules)) else { return Ok(None) };
    rmbg.account_limiter.allow(&account.uid, burst).map(Some).map_err(|retry_after| {
        let denial = Denial::TooFast { retry_after };
        record.rejected_by = Some(RejectedBy::RateLimit);
        LimitReport { caller, rules: &rmbg.rules }.denied(denial)
    })
}

/// Holds one credit for the caller, and reports its limits.
pub(super) async fn admit(rmbg: &Rmbg, caller: &Caller, passed: Option<Passed>) -> Result<(Pledge, Vec<Limit>), Stop> {
    let report = LimitReport { caller, rules: &rmbg.rules };
    let (mut pledge, admission) = ask(rmbg, caller, passed).await?;
    match admission {
        Admission::Held(hold, left) => {
            let limits = report.held(&hold, left);
            pledge.holds(hold, left.credits);
            Ok((pledge, limits))
        }
        Admission::Denied(denial) => {
            pledge.was_denied();
            Err(report.denied(denial))
        }
        Admission::Settled(_) => {
            let unavailable = super::unavailable(Shortage::StoreUnavailable);
            Err(Stop::with_cause(unavailable, "a fresh operation id was known"))
        }
    }
}

async fn ask(rmbg: &Rmbg, caller: &Caller, passed: Option<Passed>) -> Result<(Pledge, Admission), Stop> {
    let (draw, burst, lease) = (caller.draw(&rmbg.rules), caller.burst(&rmbg.rules), rmbg.rules.lease());
    if rmbg.store.is_unavailable() {
        // The store is not asked, so no release is owed.
        return Err(store::Fault::Unavailable("it has not come back yet".into()).into());
    }
    let pledge = Pledge::new(rmbg, draw.payer(), lease)?;
    let request = HoldRequest { id: pledge.id().clone(), draw, burst, lease };
    let admission = rmbg.store.hold(&request).await?;
    if let (Some(passed), Admission::Denied(Denial::TooFast { retry_after })) = (passed, &admission) {
        rmbg.account_limiter.was_too_fast(passed, *retry_after);
    }
    Ok((pledge, admission))
}

fn refusal(caller: &Caller, denial: Denial) -> Refusal {
    match (denial, caller) {
        (Denial::TooFast { retry_after }, _) => Refusal::TooFast { retry_after: at_least_a_second(retry_after) },
        (Denial::Exhausted { retry_after, .. }, Caller::Anonymous(_)) => {
            Refusal::DailyLimit { retry_after: at_least_a_second(retry_after) }
        }
        (Denial::Exhausted { retry_after, .. }, Caller::Key(..) | Caller::Token(_)) => {
            Refusal::MonthlyLimit { retry_after: at_least_a_second(retry_after) }
        }
        (Denial::NoAccount, Caller::Token(_)) => Refusal::InvalidToken,
        (Denial::NoAccount, Caller::Key(..) | Caller::Anonymous(_)) => Refusal::InvalidKey,
    }
}

fn at_least_a_second(span: Duration) -> Duration {
    span.max(Duration::from_secs(1))
}

/// Reports the limits of a caller.
struct LimitReport<'a> {
    caller: &'a Caller,
    rules: &'a Rules,
}

impl LimitReport<'_> {
    fn held(&self, hold: &Hold, left: Remaining) -> Vec<Limit> {
        let window_ends = match self.caller.account() {
            Some(account) => self.rules.terms.window(account, hold.taken.seconds()).until,
            None => hold.taken.seconds().date().end(),
        };
        let resets_in = hold.taken.until(window_ends.micros());
        self.limits(
            left.arrival.map(|arrival| hold.taken.until(arrival)).and_then(|full_in| self.short_term(full_in)),
            left.quota.map(|requests| LimitState { requests, resets_in }),
        )
    }

    fn denied(&self, denial: Denial) -> Stop {
        let limits = match denial {
            Denial::TooFast { retry_after } => self.limits(Some(LimitState::none_for(retry_after)), None),
            Denial::Exhausted { retry_after, full_in } => {
                let short_term = full_in.and_then(|full_in| self.short_term(full_in));
                self.limits(short_term, Some(LimitState::none_for(retry_after)))
            }
            Denial::NoAccount => Vec::new(),
        };
        Stop::from(refusal(self.caller, denial)).with_limits(limits)
    }

    fn short_term(&self, full_in: Duration) -> Option<LimitState> {
        self.caller.burst(self.rules).map(|burst| burst.remaining(full_in))
    }

    fn limits(&self, burst: Option<LimitState>, quota: Option<LimitState>) -> Vec<Limit> {
        let short_term = self.caller.burst(self.rules).map(|limit| Limit::burst(limit, burst));
        let long_term = match self.caller {
            Caller::Key(account, key) => {
                let of_key = key.monthly_cap.unwrap_or(u64::MAX);
                Limit::month(allowance(account).min(of_key), quota)
            }
            Caller::Token(account) => Limit::month(allowance(account), quota),
            Caller::Anonymous(_) => Limit::day(self.rules.anonymous.per_day, quota),
        };
        short_term.into_iter().chain([long_term]).collect()
    }
}

/// How many credits an account could spend that has used none: the included and the bought ones.
fn allowance(account: &Account) -> u64 {
    account.credits.saturating_add(u64::try_from(account.prepaid).unwrap_or(0))
}
