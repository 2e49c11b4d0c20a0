//! An engine whose operations are counted and timed. A keep that a journal promises is one that went well.

use super::{
    AccountChange, Billing, Fault, Metering, ParkedEvent, Result, StepOutcome, StripeObject, StripeState, StripeStep,
    Usage,
};
use crate::{
    domain::{
        account::{Account, Uid},
        api_key::{ApiKey, KeyHash, KeyId},
        credit::{Admission, Hold, HoldRequest, Kept, OperationId, Payer, Settlement},
        period::Counters,
        time::UnixSeconds,
    },
    telemetry::{StoreGauges, StoreMetrics, StoreResult, StoreVerb},
};
use async_trait::async_trait;
use std::sync::Arc;
use tokio::time::Instant;

/// An engine, and the series of its operations.
pub(super) struct Measured<E> {
    engine: Arc<E>,
    metrics: StoreMetrics,
}

impl<E> Measured<E> {
    pub(super) fn new(engine: Arc<E>, metrics: StoreMetrics) -> Self {
        Self { engine, metrics }
    }

    async fn time<T>(&self, verb: StoreVerb, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.judge(verb, work, |_| StoreResult::Ok).await
    }

    /// The same for a verb whose answer may be that the store has decided against it.
    async fn judge<T>(
        &self,
        verb: StoreVerb,
        work: impl Future<Output = Result<T>>,
        judge: impl FnOnce(&T) -> StoreResult,
    ) -> Result<T> {
        let begun = Instant::now();
        let done = work.await;
        let result = done.as_ref().map_or_else(result_of, judge);
        self.metrics.operation(verb, result, begun.elapsed());
        done
    }
}

fn result_of(fault: &Fault) -> StoreResult {
    match fault {
        Fault::Unavailable(_) => StoreResult::Unavailable,
        Fault::Unexpected(_) | Fault::Unusable(_) => StoreResult::Error,
        Fault::NotFound(_) | Fault::Insufficient(_) | Fault::TooLarge(_) | Fault::Taken(_) | Fault::Conflict(_) => {
            StoreResult::Refused
        }
    }
}

fn refused_unless(good: bool) -> StoreResult {
    if good { StoreResult::Ok } else { StoreResult::Refused }
}

#[async_trait]
impl<E: Metering> Metering for Measured<E> {
    async fn caller_of_key(&self, hash: &KeyHash) -> Result<Option<(ApiKey, Account)>> {
        self.time(StoreVerb::Caller, self.engine.caller_of_key(hash)).await
    }

    async fn account_of_user(&self, uid: &Uid) -> Result<Option<Account>> {
        self.time(StoreVerb::Caller, self.engine.account_of_user(uid)).await
    }

    async fn account(&self, uid: &Uid) -> Result<Option<Account>> {
        self.time(StoreVerb::Account, self.engine.account(uid)).await
    }

    async fn put_account(&self, change: &AccountChange) -> Result<Account> {
        self.time(StoreVerb::PutAccount, self.engine.put_account(change)).await
    }

    async fn hold(&self, request: &HoldRequest) -> Result<Admission> {
        let judge = |admission: &Admission| refused_unless(!matches!(admission, Admission::Denied(_)));
        self.judge(StoreVerb::Hold, self.engine.hold(request), judge).await
    }

    async fn keep(&self, hold: &Hold) -> Result<Kept> {
        let judge = |kept: &Kept| refused_unless(kept.settlement == Settlement::Kept);
        self.judge(StoreVerb::Keep, self.engine.keep(hold), judge).await
    }

    async fn release(&self, id: &OperationId, payer: &Payer) -> Result<Settlement> {
        let judge = |settlement: &Settlement| refused_unless(*settlement == Settlement::Released);
        self.judge(StoreVerb::Release, self.engine.release(id, payer), judge).await
    }

    async fn usage(&self, uid: &Uid, counters: Counters) -> Result<Usage> {
        self.time(StoreVerb::Usage, self.engine.usage(uid, counters)).await
    }

    async fn cycles(&self, uid: &Uid) -> Result<Vec<(UnixSeconds, Usage)>> {
        self.time(StoreVerb::Usage, self.engine.cycles(uid)).await
    }

    async fn touch_keys(&self, used: &[(KeyId, UnixSeconds)]) -> Result<()> {
        self.time(StoreVerb::TouchKeys, self.engine.touch_keys(used)).await
    }

    fn is_unavailable(&self) -> bool {
        self.engine.is_unavailable()
    }

    fn gauges(&self) -> StoreGauges {
        self.engine.gauges()
    }

    async fn holds_open(&self) -> Result<u64> {
        self.time(StoreVerb::HoldsOpen, self.engine.holds_open()).await
    }

    async fn holds_in_flight(&self) -> Result<u64> {
        self.time(StoreVerb::HoldsOpen, self.engine.holds_in_flight()).await
    }

    async fn ping(&self) -> Result<()> {
        self.time(StoreVerb::Ping, self.engine.ping()).await
    }
}

#[async_trait]
impl<E: Billing> Billing for Measured<E> {
    async fn stripe_state(&self, uid: &Uid) -> Result<StripeState> {
        self.time(StoreVerb::Stripe, self.engine.stripe_state(uid)).await
    }

    async fn apply_stripe(&self, step: &StripeStep) -> Result<StepOutcome> {
        let judge = |outcome: &StepOutcome| refused_unless(*outcome != StepOutcome::Stale);
        self.judge(StoreVerb::Stripe, self.engine.apply_stripe(step), judge).await
    }

    async fn note_event(&self, event: &str) -> Result<()> {
        self.time(StoreVerb::Stripe, self.engine.note_event(event)).await
    }

    async fn stripe_object(&self, id: &str) -> Result<StripeObject> {
        self.time(StoreVerb::Stripe, self.engine.stripe_object(id)).await
    }

    async fn put_stripe_object(&self, id: &str, object: &StripeObject) -> Result<bool> {
        let put = self.engine.put_stripe_object(id, object);
        self.judge(StoreVerb::Stripe, put, |put| refused_unless(*put)).await
    }

    async fn park(&self, event: &ParkedEvent) -> Result<()> {
        self.time(StoreVerb::Stripe, self.engine.park(event)).await
    }

    async fn parked(&self) -> Result<Vec<ParkedEvent>> {
        self.time(StoreVerb::Stripe, self.engine.parked()).await
    }

    async fn parked_under(&self, aliases: &[String]) -> Result<Vec<ParkedEvent>> {
        self.time(StoreVerb::Stripe, self.engine.parked_under(aliases)).await
    }

    async fn unpark(&self, id: &str) -> Result<()> {
        self.time(StoreVerb::Stripe, self.engine.unpark(id)).await
    }
}
