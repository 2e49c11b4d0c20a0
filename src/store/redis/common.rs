//! What operations of one call have in common: each is told once, and named by its place in its list (see `lua/common.lua`).

use super::{
    engine::{Assumed, Engine},
    moment::PeriodFields,
    operation::{Day, Operation, day_of, micros},
    scripts::Call,
};
use crate::domain::{
    account::Uid,
    credit::{Channel, Charge, Draw, Hold, HoldRequest, Pool},
    rate_limit::Burst,
    time::{Month, UnixSeconds},
};

/// The lists.
#[derive(Default)]
pub(super) struct Common {
    windows: Vec<Assumed>,
    holds: Vec<HoldTerms>,
    keeps: Vec<KeepTerms>,
}

/// What many holds have in common.
#[derive(PartialEq, Eq)]
struct HoldTerms {
    day: Day,
    channel: Channel,
    lease: i64,
    burst: Option<Burst>,
    cap: Option<u64>,
}

/// What many keeps have in common.
#[derive(PartialEq, Eq)]
struct KeepTerms {
    day: Day,
    channel: Channel,
    pool: Pool,
    month: Month,
    cycle: Option<UnixSeconds>,
    lease: i64,
}

impl Common {
    /// The place of an account's window, for a call with holds of it.
    pub(super) fn window(&mut self, engine: &Engine, uid: &Uid) -> usize {
        let assumed = engine.assumed(uid);
        let known = self.windows.iter().position(|window| window.seen == assumed.seen);
        known.unwrap_or_else(|| {
            self.windows.push(assumed);
            self.windows.len() - 1
        }) + 1
    }

    /// The place of an operation's terms; 0 for a release, which has none.
    pub(super) fn terms(&mut self, operation: &Operation) -> usize {
        match operation {
            Operation::Hold { request, .. } => place_in(&mut self.holds, HoldTerms::of(request)),
            Operation::Keep { hold, .. } => KeepTerms::of(hold).map_or(0, |terms| place_in(&mut self.keeps, terms)),
            Operation::Release { .. } => 0,
        }
    }

    /// Adds the lists.
    pub(super) fn append_to<'a>(&self, engine: &Engine, call: Call<'a>) -> Call<'a> {
        let call =
            self.windows.iter().fold(call.arg(self.windows.len()), |call, window| tell_window(call, engine, window));
        let call = self.holds.iter().fold(call.arg(self.holds.len()), |call, terms| terms.append_to(call));
        self.keeps.iter().fold(call.arg(self.keeps.len()), |call, terms| terms.append_to(call))
    }
}

/// The place of this one, which is added if it is not there.
fn place_in<T: PartialEq>(list: &mut Vec<T>, one: T) -> usize {
    let known = list.iter().position(|other| *other == one);
    known.unwrap_or_else(|| {
        list.push(one);
        list.len() - 1
    }) + 1
}

impl HoldTerms {
    fn of(request: &HoldRequest) -> Self {
        let (channel, key) = match &request.draw {
            Draw::Account { channel, key, .. } => (*channel, key.as_ref()),
            Draw::Client { .. } => (Channel::App, None),
        };
        Self {
            day: day_of(&request.id),
            channel,
            lease: micros(request.lease),
            burst: request.burst,
            cap: key.and_then(|key| key.monthly_cap),
        }
    }

    fn append_to<'a>(&self, call: Call<'a>) -> Call<'a> {
        call.shown(self.day)
            .arg(self.channel.as_str())
            .arg(self.lease)
            .number(self.burst.map(Burst::interval_micros))
            .number(self.burst.map(Burst::whole_micros))
            .number(self.cap)
    }
}

impl KeepTerms {
    /// `None` for an anonymous client's hold.
    fn of(hold: &Hold) -> Option<Self> {
        let Charge::Account { channel, pool, month, cycle, .. } = hold.charge else { return None };
        let (day, lease) = (day_of(&hold.id), micros(hold.taken.until(hold.expires)));
        Some(Self { day, channel, pool, month, cycle, lease })
    }

    fn append_to<'a>(&self, call: Call<'a>) -> Call<'a> {
        call.shown(self.day)
            .arg(self.channel.as_str())
            .arg(self.pool.as_str())
            .shown(self.month)
            .number(self.cycle.map(|start| start.0))
            .arg(self.lease)
    }
}

fn tell_window<'a>(call: Call<'a>, engine: &Engine, assumed: &Assumed) -> Call<'a> {
    let (moment, PeriodFields(seen)) = (engine.moment(assumed), &assumed.seen);
    call.arg(seen)
        .arg(moment.from.0)
        .arg(moment.until.0)
        .arg(moment.credits(&engine.terms.now()))
        .shown(moment.month)
        .number(moment.window.cycle().map(|start| start.0))
        .arg(moment.window.until.micros().0)
        .arg(moment.month.end().micros().0)
}
