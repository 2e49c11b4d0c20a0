//! A model of a store in its simplest form: it answers from maps and a textbook's token bucket.

use rembg_gateway::{
    domain::{
        account::{Account, Uid},
        api_key::KeyId,
        credit::{
            Admission, Channel, Charge, Denial, Draw, Hold, HoldRequest, Kept, OperationId, Payer, Pool, Remaining,
            Settlement,
        },
        rate_limit::Burst,
        time::{Day, Month, UnixMicros},
    },
    store::{Granted, Usage},
};
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

/// A store without a disk, for accounts that are not synced with Stripe and for less than a week.
#[derive(Default)]
pub(crate) struct Model {
    pub(crate) accounts: BTreeMap<Uid, Account>,
    pub(crate) entries: HashMap<Uid, u64>,
    used: HashMap<(Uid, Channel, Month), u64>,
    used_by_key: HashMap<(KeyId, Month), u64>,
    pictures: HashMap<(Payer, Day), u64>,
    holds: HashMap<(Payer, OperationId), Hold>,
    settled: HashMap<(Payer, OperationId), Settlement>,
    granted: HashMap<(Uid, OperationId), (i64, i64)>,
    buckets: HashMap<Payer, (i64, UnixMicros)>,
}

impl Model {
    pub(crate) fn hold(&mut self, request: &HoldRequest, now: UnixMicros) -> Admission {
        let operation = (request.draw.payer(), request.id.clone());
        if let Some(settlement) = self.settled.get(&operation) {
            return Admission::Settled(*settlement);
        }
        if let Some(hold) = self.holds.get(&operation).filter(|hold| hold.expires > now) {
            return Admission::Held(hold.clone(), Remaining::default());
        }
        if matches!(&operation.0, Payer::Account(uid) if !self.accounts.contains_key(uid)) {
            return Admission::Denied(Denial::NoAccount);
        }
        let arrival = match request.burst.map(|burst| self.take_from_bucket(&operation.0, burst, now)).transpose() {
            Err(retry_after) => return Admission::Denied(Denial::TooFast { retry_after }),
            Ok(arrival) => arrival,
        };
        match self.charge(&request.draw, now) {
            Ok((charge, quota)) => {
                let hold = Hold { id: request.id.clone(), charge, taken: now, expires: now.plus(request.lease) };
                self.holds.insert(operation, hold.clone());
                Admission::Held(hold, Remaining { arrival, quota: Some(quota) })
            }
            Err(until) => {
                let full_in = arrival.map(|arrival| now.until(arrival));
                Admission::Denied(Denial::Exhausted { retry_after: now.until(until), full_in })
            }
        }
    }

    pub(crate) fn keep(&mut self, hold: &Hold, now: UnixMicros) -> Kept {
        let operation = (hold.charge.payer(), hold.id.clone());
        let settlement = self.settle(&operation, Settlement::Kept, |model| model.count(&hold.charge));
        let remaining = match &operation.0 {
            Payer::Account(uid) => {
                let account = &self.accounts[uid];
                let included = account.credits.saturating_sub(self.usage_of(uid, now.seconds().month()));
                Some(included + u64::try_from(account.prepaid).unwrap_or(0))
            }
            Payer::Client(_) => None,
        };
        Kept { settlement, remaining }
    }

    pub(crate) fn release(&mut self, id: &OperationId, payer: &Payer) -> Settlement {
        self.settle(&(payer.clone(), id.clone()), Settlement::Released, |_| ())
    }

    /// Answers `None` where the store should find it impossible, or the id used up.
    pub(crate) fn grant(&mut self, uid: &Uid, credits: i64, id: &OperationId, now: UnixMicros) -> Option<Granted> {
        let balance = self.accounts.get(uid)?.prepaid;
        if let Some((earlier, prepaid)) = self.granted.get(&(uid.clone(), id.clone())) {
            return (*earlier == credits).then_some(Granted { prepaid: *prepaid, repeated: true });
        }
        if credits == 0 {
            return Some(Granted { prepaid: balance, repeated: false });
        }
        let prepaid = balance + credits;
        let held = self.open(&Payer::Account(uid.clone()), now, |charge| pool_of(charge) == Some(Pool::Prepaid)).len();
        if credits < 0 && prepaid < i64::try_from(held).unwrap() {
            return None;
        }
        self.accounts.get_mut(uid)?.prepaid = prepaid;
        self.granted.insert((uid.clone(), id.clone()), (credits, prepaid));
        *self.entries.entry(uid.clone()).or_default() += 1;
        Some(Granted { prepaid, repeated: false })
    }

    pub(crate) fn usage(&self, uid: &Uid, month: Month) -> Usage {
        let used = |channel| self.used.get(&(uid.clone(), channel, month)).copied().unwrap_or(0);
        Usage { app: used(Channel::App), api: used(Channel::Api) }
    }

    pub(crate) fn used_by_key(&self, key: &KeyId, month: Month) -> u64 {
        self.used_by_key.get(&(key.clone(), month)).copied().unwrap_or(0)
    }

    pub(crate) fn holds_open(&self, now: UnixMicros) -> usize {
        self.holds.values().filter(|hold| hold.expires > now).count()
    }

    fn usage_of(&self, uid: &Uid, month: Month) -> u64 {
        let usage = self.usage(uid, month);
        usage.app + usage.api
    }

    fn settle(
        &mut self,
        operation: &(Payer, OperationId),
        end: Settlement,
        effect: impl FnOnce(&mut Self),
    ) -> Settlement {
        if let Some(earlier) = self.settled.get(operation) {
            return *earlier;
        }
        effect(self);
        self.holds.remove(operation);
        self.settled.insert(operation.clone(), end);
        end
    }

    fn count(&mut self, charge: &Charge) {
        match charge {
            Charge::Client { day, .. } => *self.pictures.entry((charge.payer(), *day)).or_default() += 1,
            Charge::Account { uid, channel, pool, month, key, .. } => {
                match pool {
                    Pool::Included => *self.used.entry((uid.clone(), *channel, *month)).or_default() += 1,
                    Pool::Prepaid => self.accounts.get_mut(uid).unwrap().prepaid -= 1,
                }
                if let Some(key) = key {
                    *self.used_by_key.entry((key.clone(), *month)).or_default() += 1;
                }
                *self.entries.entry(uid.clone()).or_default() += 1;
            }
        }
    }

    /// Says as what the next picture is charged and how many are left after it, or until when there is none.
    fn charge(&self, draw: &Draw, now: UnixMicros) -> Result<(Charge, u64), UnixMicros> {
        let payer = draw.payer();
        let earliest = |leases: Vec<UnixMicros>, end: UnixMicros| leases.into_iter().chain([end]).min().unwrap();
        let free = |used: u64, held: usize, most: u64| most.saturating_sub(used + u64::try_from(held).unwrap());
        match draw {
            Draw::Client { client, per_day } => {
                let day = now.seconds().date();
                let used = self.pictures.get(&(payer.clone(), day)).copied().unwrap_or(0);
                let held =
                    self.open(&payer, now, |charge| matches!(charge, Charge::Client { day: of, .. } if *of == day));
                let free = free(used, held.len(), *per_day);
                if free > 0 {
                    return Ok((Charge::Client { client: client.clone(), day }, free - 1));
                }
                Err(earliest(if used < *per_day { held } else { vec![] }, day.end().micros()))
            }
            Draw::Account { uid, channel, key } => {
                let (account, month) = (&self.accounts[uid], now.seconds().month());
                let (used, bought) = (self.usage_of(uid, month), u64::try_from(account.prepaid).unwrap_or(0));
                let this_month = |charge: &Charge| matches!(charge, Charge::Account { month: of, .. } if *of == month);
                let mut free_of_key = u64::MAX;
                if let Some((key, cap)) = key.as_ref().and_then(|key| Some((&key.id, key.monthly_cap?))) {
                    let of_key = |charge: &Charge| matches!(charge, Charge::Account { key: Some(of), .. } if of == key);
                    let held = self.open(&payer, now, |charge| of_key(charge) && this_month(charge));
                    let used = self.used_by_key(key, month);
                    free_of_key = free(used, held.len(), cap);
                    if free_of_key == 0 {
                        return Err(earliest(if used < cap { held } else { vec![] }, month.end().micros()));
                    }
                }
                let included =
                    self.open(&payer, now, |charge| pool_of(charge) == Some(Pool::Included) && this_month(charge));
                let prepaid = self.open(&payer, now, |charge| pool_of(charge) == Some(Pool::Prepaid));
                let (free_included, free_prepaid) =
                    (free(used, included.len(), account.credits), free(0, prepaid.len(), bought));
                let pool = if free_included > 0 {
                    Pool::Included
                } else if free_prepaid > 0 {
                    Pool::Prepaid
                } else {
                    let included = if used < account.credits { included } else { vec![] };
                    let prepaid = if bought > 0 { prepaid } else { vec![] };
                    return Err(earliest([included, prepaid].concat(), month.end().micros()));
                };
                let key = key.as_ref().map(|key| key.id.clone());
                let charge = Charge::Account { uid: uid.clone(), channel: *channel, pool, month, cycle: None, key };
                Ok((charge, (free_included + free_prepaid).min(free_of_key) - 1))
            }
        }
    }

    /// The ends of the leases of those open holds of a payer that are `meant`.
    fn open(&self, payer: &Payer, now: UnixMicros, meant: impl Fn(&Charge) -> bool) -> Vec<UnixMicros> {
        let of_payer = self.holds.iter().filter(|((of, _), _)| of == payer).map(|(_, hold)| hold);
        let open = of_payer.filter(|hold| hold.expires > now && meant(&hold.charge));
        open.map(|hold| hold.expires).collect()
    }

    /// The moment at which the bucket will be full again, or the time until it has one.
    fn take_from_bucket(&mut self, payer: &Payer, burst: Burst, now: UnixMicros) -> Result<UnixMicros, Duration> {
        let (cost, brim) = (burst.interval_micros(), burst.interval_micros() * i64::from(burst.size));
        let (level, seen) = self.buckets.entry(payer.clone()).or_insert((brim, now));
        (*level, *seen) = (brim.min(*level + now.0 - seen.0), now);
        if *level < cost {
            return Err(Duration::from_micros((cost - *level).unsigned_abs()));
        }
        *level -= cost;
        Ok(UnixMicros(now.0 + brim - *level))
    }
}

fn pool_of(charge: &Charge) -> Option<Pool> {
    match charge {
        Charge::Account { pool, .. } => Some(*pool),
        Charge::Client { .. } => None,
    }
}
