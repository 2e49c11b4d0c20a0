//! The unpaid periods of a subscription, and how long they give credits all the same (contract, section 3).

use super::{Snapshot, Span, Status};
use crate::domain::time::UnixSeconds;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, time::Duration};

/// The most glimpses that are kept; beyond that, the oldest are dropped.
const GLIMPSES: usize = 100;

/// The stored state of a subscription's payments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Payments {
    paid: Option<PaidSpan>,
    /// The glimpses since the start of the last paid period, and the last glimpse before it.
    glimpses: BTreeSet<Glimpse>,
}

/// The time from the start of the newest paid period to the latest end of any. No period in it is unpaid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PaidSpan {
    start: UnixSeconds,
    end: UnixSeconds,
}

/// The subscription as one event showed it. Glimpses are ordered as the events are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Glimpse {
    created: UnixSeconds,
    after_creation: bool,
    event: String,
    /// The start of its period at the time.
    period: Option<UnixSeconds>,
    past_due: bool,
    collection_paused: bool,
}

impl Payments {
    pub(super) fn observe(&mut self, snapshot: &Snapshot, created: UnixSeconds, event: &str) {
        self.glimpses.insert(Glimpse {
            created,
            after_creation: !snapshot.just_created,
            event: event.into(),
            period: snapshot.span.map(|span| span.start),
            past_due: snapshot.status == Status::PastDue,
            collection_paused: snapshot.collection_paused,
        });
        self.forget();
    }

    pub(super) fn paid(&mut self, span: Span) {
        let known = self.paid.unwrap_or(PaidSpan { start: span.start, end: span.end });
        self.paid = Some(PaidSpan { start: known.start.max(span.start), end: known.end.max(span.end) });
        self.forget();
    }

    /// Whether any period has been paid for.
    pub(super) fn any(&self) -> bool {
        self.paid.is_some()
    }

    /// Until when an unpaid period gives credits: `grace` is given once until something is paid. `None` if it is not
    /// unpaid.
    pub(super) fn cut(&self, span: Span, grace: Duration) -> Option<UnixSeconds> {
        let said = self.first_said(span.start)?;
        let mut earlier = self.glimpses.iter().filter_map(|glimpse| glimpse.period).filter(|start| *start < span.start);
        if earlier.any(|start| self.first_said(start).is_some()) {
            return Some(span.start);
        }
        Some(UnixSeconds(said.0.saturating_add(i64::try_from(grace.as_secs()).unwrap_or(i64::MAX))))
    }

    /// When an event first showed the period as unpaid; `None` if it is paid.
    fn first_said(&self, start: UnixSeconds) -> Option<UnixSeconds> {
        if self.paid.is_some_and(|paid| start < paid.end) {
            return None;
        }
        let began_paused = self.glimpses.iter().rev().find(|glimpse| glimpse.created < start);
        let began_paused = began_paused.is_some_and(|glimpse| glimpse.collection_paused);
        let of_period = self.glimpses.iter().filter(|glimpse| glimpse.period == Some(start));
        let mut saying = of_period.filter(|glimpse| glimpse.past_due || began_paused);
        saying.next().map(|glimpse| glimpse.created)
    }

    /// Drops glimpses that no longer matter. Which ones are kept depends on the glimpses, not on their order.
    fn forget(&mut self) {
        if let Some(PaidSpan { start, .. }) = self.paid {
            let last_before = self.glimpses.iter().rev().find(|glimpse| glimpse.created < start).cloned();
            let is_of_use = |glimpse: &Glimpse| glimpse.created >= start || glimpse.period >= Some(start);
            self.glimpses.retain(|glimpse| is_of_use(glimpse) || last_before.as_ref() == Some(glimpse));
        }
        while self.glimpses.len() > GLIMPSES {
            self.glimpses.pop_first();
        }
    }
}
