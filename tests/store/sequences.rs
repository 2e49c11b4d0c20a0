//! Any sequence of verbs, at any times, is answered as the model answers it.

use crate::{
    model::Model,
    world::{MARCH, World, key},
};
use futures_util::future::join_all;
use proptest::prelude::*;
use rembg_gateway::{
    domain::{
        account::Uid,
        api_key::{ApiKey, KeyId},
        client_address::ClientAddress,
        credit::{Admission, Channel, Draw, Hold, HoldRequest, Kept, KeyDraw, OperationId, Payer, Settlement},
        rate_limit::Burst,
        time::{Month, UnixMicros},
    },
    store::{AccountChange, Fault},
};
use std::{collections::HashMap, time::Duration};

/// One thing that happens. Operations, accounts and clients are few, so that a sequence uses each of them often.
#[derive(Clone, Debug)]
enum Step {
    Advance(Duration),
    Hold {
        operation: u8,
        who: u8,
        lease: Duration,
        hurried: bool,
    },
    Keep {
        operation: u8,
        who: u8,
    },
    Release {
        operation: u8,
        who: u8,
    },
    Grant {
        operation: u8,
        uid: u8,
        credits: i64,
    },
    Change {
        uid: u8,
        credits: u64,
    },
    /// Several at once.
    Together(Vec<Step>),
    /// A page of an account's last month is closed.
    Close {
        uid: u8,
    },
    /// The server forgets its scripts.
    Forget,
}

/// The month before [`MARCH`].
const LAST_MONTH: Month = Month { year: 2026, month: 2 };

const BURST: Burst = Burst { per_minute: 30, size: 3 };

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => alone(),
        3 => prop::collection::vec(metered(), 2..24).prop_map(Step::Together),
        1 => Just(Step::Forget),
    ]
}

/// An operation of metering.
fn metered() -> impl Strategy<Value = Step> {
    let lease = (1u64..120).prop_map(Duration::from_secs);
    prop_oneof![
        8 => (0u8..12, 0u8..6, lease, prop::bool::weighted(0.3))
            .prop_map(|(operation, who, lease, hurried)| Step::Hold { operation, who, lease, hurried }),
        5 => (0u8..12, 0u8..6).prop_map(|(operation, who)| Step::Keep { operation, who }),
        2 => (0u8..12, 0u8..6).prop_map(|(operation, who)| Step::Release { operation, who }),
    ]
}

fn alone() -> impl Strategy<Value = Step> {
    let turn = prop_oneof![0..3_000_000u64, 0..120_000_000u64, 0..7_200_000_000u64].prop_map(Duration::from_micros);
    let credits = prop_oneof![-4i64..0, 0i64..6];
    prop_oneof![
        3 => turn.prop_map(Step::Advance),
        15 => metered(),
        1 => (0u8..6, 0u8..3, credits).prop_map(|(operation, uid, credits)| Step::Grant { operation, uid, credits }),
        1 => (0u8..3, 0u64..6).prop_map(|(uid, credits)| Step::Change { uid, credits }),
        1 => (0u8..2).prop_map(|uid| Step::Close { uid }),
    ]
}

fn uid(number: u8) -> Uid {
    Uid::new(format!("account:{number}")).unwrap()
}

fn key_of(number: u8) -> ApiKey {
    key(&format!("k{number}"), &uid(number)).1
}

/// Ids of one day, and two that tell no moment.
fn id_of(operation: u8) -> OperationId {
    if operation < 2 {
        return OperationId(format!("operation {operation}").into());
    }
    OperationId::stamped(UnixMicros(MARCH.end().micros().0 - i64::from(operation)), "operation")
}

/// Two accounts by app and by key, one that nobody has made, and a client.
fn draw(who: u8) -> Draw {
    match who {
        0 | 1 => Draw::Account { uid: uid(who), channel: Channel::App, key: None },
        2 | 3 => {
            // One of the two keys has a cap, lower than what its account can have.
            let key = KeyDraw { id: key_of(who - 2).id, monthly_cap: (who == 2).then_some(2) };
            Draw::Account { uid: uid(who - 2), channel: Channel::Api, key: Some(key) }
        }
        4 => Draw::Account { uid: uid(2), channel: Channel::App, key: None },
        _ => Draw::Client { client: ClientAddress("203.0.113.7".into()), per_day: 3 },
    }
}

#[derive(Clone, Debug)]
enum Asked {
    Hold(HoldRequest),
    Keep(Hold),
    Release(OperationId, Payer),
}

#[derive(Debug, PartialEq)]
enum Answer {
    Hold(Admission),
    Keep(Kept),
    Release(Settlement),
}

/// The store and the model, side by side.
struct Pair {
    world: World,
    model: Model,
    /// The holds that were handed out, ended leases and all.
    given: HashMap<(Payer, OperationId), Hold>,
}

impl Pair {
    async fn new(world: World) -> Self {
        let mut pair = Self { world, model: Model::default(), given: HashMap::new() };
        for number in 0..2 {
            pair.change(number, 3).await;
            pair.fill_last_month(number).await;
            let (hash, key) = key(&format!("k{number}"), &uid(number));
            pair.world.store.put_key(&hash, &key).await.unwrap();
        }
        // The clock begins an hour before the month ends, so that some sequences reach the next month.
        pair.world.turn_to(UnixMicros(MARCH.end().micros().0 - 3_600_000_000));
        pair
    }

    /// Entries that can be closed.
    async fn fill_last_month(&mut self, number: u8) {
        self.world.turn_to(UnixMicros(LAST_MONTH.end().micros().0 - 3_600_000_000));
        for _ in 0..3 {
            self.world.served(&self.world.request(&uid(number))).await;
            *self.model.entries.entry(uid(number)).or_default() += 1;
        }
    }

    async fn take(&mut self, step: Step) {
        let now = self.world.now();
        match step {
            Step::Advance(by) => self.world.turn(by),
            Step::Hold { operation, who, lease, hurried } => {
                let id = id_of(operation);
                let request = HoldRequest { id, draw: draw(who), burst: hurried.then_some(BURST), lease };
                let admission = self.world.ask(&request).await;
                assert_eq!(admission, self.model.hold(&request, now), "{request:?}");
                if let Admission::Held(hold, _) = admission {
                    self.given.insert((hold.charge.payer(), request.id), hold);
                }
            }
            Step::Keep { operation, who } => {
                let id = id_of(operation);
                if let Some(hold) = self.given.get(&(draw(who).payer(), id)) {
                    assert_eq!(self.world.kept(hold).await, self.model.keep(hold), "keep {hold:?}");
                }
            }
            Step::Release { operation, who } => {
                let (id, payer) = (id_of(operation), draw(who).payer());
                let settlement = self.world.store.release(&id, &payer).await.unwrap();
                assert_eq!(settlement, self.model.release(&id, &payer), "release {id:?} of {payer:?}");
            }
            Step::Grant { operation, uid: number, credits } => {
                let id = id_of(operation);
                let granted = self.world.store.grant(&uid(number), credits, &id).await;
                let expected = self.model.grant(&uid(number), credits, &id, now);
                match granted {
                    Err(Fault::NotFound(_) | Fault::Insufficient(_) | Fault::TooLarge(_) | Fault::Conflict(_)) => {
                        assert_eq!(expected, None, "grant {id:?} to {number}");
                    }
                    granted => assert_eq!(granted.ok(), expected, "grant {id:?} to {number}"),
                }
            }
            // The third account stays unmade.
            Step::Change { uid: number, credits } => self.change(number % 2, credits).await,
            Step::Together(steps) => self.together(steps).await,
            Step::Close { uid: number } => {
                self.world.store.close_page(&uid(number), LAST_MONTH).await.unwrap();
            }
            Step::Forget => {
                if let Some(server) = &self.world.server {
                    let _: String = server.by_hand(&["SCRIPT", "FLUSH"]);
                }
            }
        }
    }

    /// Operations that are asked for at once. Those of an account keep their order, and accounts have nothing to do with each
    /// other: so the model is asked for one after another. Anonymous clients' calls have no order: they are left out.
    async fn together(&mut self, steps: Vec<Step>) {
        let (now, mut expected, mut asked) = (self.world.now(), Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Hold { operation, who, lease, hurried } if who < 5 => {
                    let burst = hurried.then_some(BURST);
                    let request = HoldRequest { id: id_of(operation), draw: draw(who), burst, lease };
                    let admission = self.model.hold(&request, now);
                    if let Admission::Held(hold, _) = &admission {
                        self.given.insert((hold.charge.payer(), request.id.clone()), hold.clone());
                    }
                    expected.push(Answer::Hold(admission));
                    asked.push(Asked::Hold(request));
                }
                Step::Keep { operation, who } if who < 5 => {
                    let Some(hold) = self.given.get(&(draw(who).payer(), id_of(operation))).cloned() else { continue };
                    expected.push(Answer::Keep(self.model.keep(&hold)));
                    asked.push(Asked::Keep(hold));
                }
                Step::Release { operation, who } if who < 5 => {
                    let (id, payer) = (id_of(operation), draw(who).payer());
                    expected.push(Answer::Release(self.model.release(&id, &payer)));
                    asked.push(Asked::Release(id, payer));
                }
                Step::Hold { .. }
                | Step::Keep { .. }
                | Step::Release { .. }
                | Step::Advance(_)
                | Step::Grant { .. }
                | Step::Change { .. }
                | Step::Together(_)
                | Step::Close { .. }
                | Step::Forget => {}
            }
        }
        let store = &self.world.store;
        let answers = asked.iter().map(async |asked| match asked {
            Asked::Hold(request) => Answer::Hold(store.hold(request).await.unwrap()),
            Asked::Keep(hold) => Answer::Keep(store.keep(hold).await.unwrap()),
            Asked::Release(id, payer) => Answer::Release(store.release(id, payer).await.unwrap()),
        });
        assert_eq!(join_all(answers).await, expected, "{asked:?}");
    }

    async fn change(&mut self, number: u8, credits: u64) {
        let change =
            AccountChange { credits: Some(credits), email_verified: Some(true), ..AccountChange::of(uid(number)) };
        let account = self.world.store.put_account(&change).await.unwrap();
        let known = self.model.accounts.entry(uid(number)).or_insert_with(|| account.clone());
        known.credits = credits;
        assert_eq!(account, *known);
    }

    /// Everything that can be read is what the model says.
    async fn compare(&self) {
        let (store, now) = (&self.world.store, self.world.now());
        assert_eq!(store.accounts().await.unwrap(), self.model.accounts.values().cloned().collect::<Vec<_>>());
        assert_eq!(usize::try_from(store.holds_open().await.unwrap()).unwrap(), self.model.holds_open(now));
        for uid in self.model.accounts.keys() {
            for month in [MARCH, MARCH.next()] {
                assert_eq!(self.world.usage(uid, month).await, self.model.usage(uid, month), "{uid} in {month}");
            }
            assert_eq!(self.world.audited(uid).await, self.model.entries.get(uid).copied().unwrap_or(0), "{uid}");
            for of in store.keys(uid).await.unwrap() {
                let KeyId(id) = &of.key.id;
                assert_eq!(of.used_this_month, self.model.used_by_key(&of.key.id, now.seconds().month()), "{id}");
            }
        }
    }
}

/// Takes every step in a store and in the model, and compares.
fn answered_alike(steps: Vec<Step>, world: impl AsyncFnOnce() -> World) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut pair = Pair::new(world().await).await;
        for step in steps {
            pair.take(step).await;
        }
        pair.compare().await;
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_verbs_is_answered_by_sqlite_as_by_the_model(steps in prop::collection::vec(step(), 1..60)) {
        answered_alike(steps, async || World::sqlite());
    }

    #[test]
    fn any_sequence_of_verbs_is_answered_by_redis_as_by_the_model(steps in prop::collection::vec(step(), 1..60)) {
        answered_alike(steps, World::redis);
    }
}
