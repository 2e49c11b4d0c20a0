//! Step 2: one atomic step in the store decides the limits and holds one credit, before the body is read.

use super::{Rmbg, Stop, caller::Caller, settle::Pledge};
use crate::domain::{
    credit::{Admission, Denial, Draw, HoldRequest},
    refusal::Refusal,
};
use std::time::Duration;

/// Holds one credit for the caller, or says which limit stands in the way.
pub(super) async fn admit(rmbg: &Rmbg, caller: &Caller) -> Result<Pledge, Stop> {
    let rules = &rmbg.rules;
    let plan = rules.plans.get(&caller.account.membership).or_else(|| rules.plans.get(&rules.default_plan));
    let draw = Draw::Account { uid: caller.account.uid.clone(), channel: caller.channel, key: caller.key.clone() };
    let mut pledge = Pledge::new(&rmbg.store, draw.payer(), rules.lease())?;
    let request =
        HoldRequest { id: pledge.id().clone(), draw, burst: plan.map(|plan| plan.burst), lease: rules.lease() };
    match rmbg.store.hold(&request).await? {
        Admission::Held(hold) => {
            pledge.holds(hold);
            Ok(pledge)
        }
        Admission::Denied(denial) => {
            pledge.was_denied();
            Err(refusal(denial).into())
        }
        Admission::Settled(_) => {
            Err(Stop::with_cause(Refusal::Busy { retry_after: super::RETRY_SOON }, "a fresh operation id was known"))
        }
    }
}

fn refusal(denial: Denial) -> Refusal {
    match denial {
        Denial::TooFast { retry_after } => Refusal::TooFast { retry_after: at_least_a_second(retry_after) },
        Denial::Exhausted { retry_after } => Refusal::MonthlyLimit { retry_after: at_least_a_second(retry_after) },
        Denial::NoAccount => Refusal::InvalidKey,
    }
}

fn at_least_a_second(span: Duration) -> Duration {
    span.max(Duration::from_secs(1))
}
