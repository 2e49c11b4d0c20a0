//! Whose turn it is for room, and that an answer at hand always finds some in the end.

use super::*;
use crate::domain::account::Uid;
use proptest::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::time::timeout;

const RULES: DiskRules =
    DiskRules { most: 100, kept_for_answers: 30, max_answer: 20, per_client: 100, per_account: 100 };

fn client(number: u8) -> Holder {
    Holder { client: ClientAddress(format!("192.0.2.{number}").into()), account: None }
}

/// The clock stands still, so a wait for nothing fails at once.
fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(work)
}

async fn waits(growth: impl Future<Output = ()>) -> bool {
    timeout(Duration::from_secs(1), growth).await.is_err()
}

#[test]
fn uploads_leave_what_is_kept_and_answers_leave_the_reserve() {
    run(async {
        let disk = Disk::new(RULES);
        let mut upload = disk.upload(&client(1));
        assert!(upload.grow(70).await && !upload.grow(71).await);
        let answer = disk.answer(&client(2), 10).expect("what is kept");
        assert_eq!(disk.answer(&client(2), 1).err(), Some(Shortfall::Full), "that is the reserve");
        drop(upload);
        assert_eq!(disk.used(), answer.size());
        assert!(disk.answer(&client(2), 70).is_ok());
    });
}

#[test]
fn one_at_a_time_gets_through_where_only_the_reserve_is_left() {
    run(async {
        let disk = Disk::new(DiskRules { kept_for_answers: 20, ..RULES });
        let mut upload = disk.upload(&client(1));
        assert!(upload.grow(80).await);
        let mut first = disk.answer(&client(2), 5).expect("out of the reserve");
        assert!(disk.answer(&client(2), 5).is_err());
        first.grow_to(20).await;
        drop(first);
        assert!(disk.answer(&client(2), 5).is_ok());
    });
}

#[test]
fn a_client_and_an_account_hold_their_parts_and_others_the_rest() {
    let disk = Disk::new(DiskRules { per_client: 20, per_account: 30, ..RULES });
    let of = |number: u8, account: &str| Holder { account: Uid::new(account).ok(), ..client(number) };
    let first = disk.answer(&of(1, "ann"), 15).expect("nothing is held");
    assert_eq!(disk.answer(&of(1, "bob"), 6).err(), Some(Shortfall::OwnPart), "the same client");
    let second = disk.answer(&of(2, "ann"), 15).expect("another client");
    assert_eq!(disk.answer(&of(3, "ann"), 1).err(), Some(Shortfall::OwnPart), "the same account");
    let third = disk.answer(&of(3, "bob"), 25).expect("the first one may be larger");
    let mut upload = disk.upload(&of(1, "bob"));
    assert!(!upload.grow_upload_to(6), "an upload counts too");
    drop((first, second, third));
    assert!(upload.grow_upload_to(6));
    drop(upload);
    assert!(disk.state().holders.who_holds_most().is_none(), "who holds nothing is forgotten");
}

#[test]
fn whoever_is_refused_is_told_when_there_may_be_room() {
    let (disk, told) = (Disk::new(RULES), Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&told);
    disk.on_freed(move || {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let (mut all, small) = (disk.answer(&client(1), 75).unwrap(), disk.answer(&client(1), 5).unwrap());
    drop(small);
    assert_eq!(told.load(Ordering::Relaxed), 0, "nobody wanted any");
    assert!(disk.answer(&client(2), 10).is_err());
    all.shrink_to(60);
    assert_eq!(told.load(Ordering::Relaxed), 1);
}

#[test]
fn an_answer_at_hand_goes_before_those_still_to_be_asked_for() {
    run(async {
        let disk = Disk::new(RULES);
        let (mut first, mut second) = (disk.answer(&client(1), 40).unwrap(), disk.answer(&client(2), 35).unwrap());
        first.grow_to(60).await;
        assert!(waits(second.grow_to(36)).await, "the reserve is the first one's");
        let mut growing = Box::pin(second.grow_to(45));
        assert!(futures_util::poll!(growing.as_mut()).is_pending());
        assert_eq!(disk.answer(&client(3), 0).err(), Some(Shortfall::Full), "nobody new before it");
        first.settle(30);
        assert!(!waits(growing).await);
        assert!(disk.answer(&client(3), 5).is_ok());
    });
}

#[test]
fn only_who_holds_the_most_of_a_full_space_must_hurry() {
    run(async {
        let disk = Disk::new(RULES);
        let small = disk.answer(&client(1), 15).unwrap();
        let large = disk.answer(&client(2), 30).unwrap();
        assert!(!disk.must_hurry(&client(2).client), "there is plenty");
        let _more = disk.answer(&client(1), 10).unwrap();
        assert!(disk.must_hurry(&client(2).client) && !disk.must_hurry(&client(1).client));
        drop((small, large));
        assert!(!disk.must_hurry(&client(2).client));
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// However wrong all guesses were: everybody who was let in is served, and there is never more than all.
    #[test]
    fn no_answer_is_lost_because_others_were_longer_than_was_likely(
        answers in prop::collection::vec((1_u64..20, prop::collection::vec(0_u64..=20, 1..4), 0_u8..4), 1..40),
        uploads in 0_u64..=70,
    ) {
        run(async {
            let disk = Disk::new(DiskRules { per_client: 40, ..RULES });
            let mut upload = disk.upload(&client(9));
            assert!(upload.grow(uploads).await);
            let served = answers.iter().map(|(likely, steps, who)| {
                let disk = Arc::clone(&disk);
                async move {
                    let mut share = loop {
                        let freed = disk.freed.notified();
                        match disk.answer(&client(*who), *likely) {
                            Ok(share) => break share,
                            Err(_) => freed.await,
                        }
                    };
                    for size in steps {
                        share.grow_to(share.size().max(*size)).await;
                        assert!(disk.used() <= RULES.most);
                        tokio::task::yield_now().await;
                    }
                    share.settle(*steps.last().unwrap());
                    // It is read, and read again.
                    tokio::time::sleep(Duration::from_millis(*likely)).await;
                }
            });
            let all = futures_util::future::join_all(served);
            assert!(timeout(Duration::from_mins(1), all).await.is_ok(), "somebody waits for ever: {disk:?}");
            drop(upload);
            assert_eq!(disk.used(), 0);
        });
    }
}
