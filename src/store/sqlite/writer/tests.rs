use super::*;
use crate::{
    domain::{
        client_address::ClientAddress,
        credit::{OperationId, Payer, Settlement},
    },
    store::sqlite::{schema, settlement},
};
use futures_util::future::join_all;
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

fn writer(folder: &Path) -> Writer {
    at(folder, Clock::Own)
}

fn at(folder: &Path, clock: Clock) -> Writer {
    Writer::start(File::prepare(&folder.join("gateway.db")).unwrap(), clock, Arc::default()).unwrap()
}

async fn release(writer: &Writer, id: String) -> Result<Settlement> {
    let payer = Payer::Client(ClientAddress("203.0.113.7".into()));
    writer
        .run_checked(Outdates::Nothing, move |db, now| settlement::release(db, &OperationId(id.into()), &payer, now))
        .await
}

async fn count(writer: &Writer, table: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    writer.run(move |db, _| Ok(db.query_row(&sql, [], |row| row.get(0))?)).await.unwrap()
}

/// Runs a step and a release in one commit: both are queued while the writer is held up.
async fn together<T>(writer: &Writer, step: impl Future<Output = Result<T>>) -> (Result<T>, Result<Settlement>) {
    let (open, gate) = std::sync::mpsc::channel();
    let held_up = writer.run(move |_, _| gate.recv().map_err(|_| Fault::Unavailable("nobody opened".into())));
    let (_, stepped, released, ()) =
        tokio::join!(held_up, step, release(writer, "beside it".into()), async { open.send(()).unwrap() });
    (stepped, released)
}

#[tokio::test]
async fn a_panic_fails_its_own_step_alone_and_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(folder.path());
    let step = |db: &Connection, now| -> Result<()> {
        schema::write_test_row(db, now)?;
        panic!("a bug in a verb")
    };
    let (panicked, beside) = together(&writer, writer.run(step)).await;
    assert!(matches!(panicked, Err(Fault::Unavailable(_))), "{panicked:?}");
    assert_eq!(beside.unwrap(), Settlement::Released);
    release(&writer, "after it".into()).await.unwrap();
    assert_eq!((count(&writer, "settled").await, count(&writer, "pulse").await), (2, 0));
}

#[tokio::test]
async fn a_step_that_fails_leaves_no_trace_and_harms_no_other_in_its_commit() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(folder.path());
    let half = |db: &Connection, now| {
        schema::write_test_row(db, now)?;
        Err::<(), _>(Fault::NotFound("no".into()))
    };
    let (failed, released) = together(&writer, writer.run(half)).await;
    assert!(matches!(failed, Err(Fault::NotFound(_))), "{failed:?}");
    assert_eq!(released.unwrap(), Settlement::Released);
    assert_eq!(count(&writer, "pulse").await, 0);
}

#[tokio::test]
async fn a_commit_that_fails_is_a_fault_for_everybody_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(folder.path());
    // Found out only when the transaction is committed.
    let dangling = "CREATE TABLE orphans (id INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED);
        CREATE TABLE parents (id INTEGER PRIMARY KEY);
        INSERT INTO orphans VALUES (1);";
    let (broken, beside) = together(&writer, writer.run(move |db, _| Ok(db.execute_batch(dangling)?))).await;
    assert!(matches!(broken, Err(Fault::Unavailable(_))), "{broken:?}");
    assert!(matches!(beside, Err(Fault::Unavailable(_))), "{beside:?}");
    assert_eq!(count(&writer, "settled").await, 0, "nothing of the commit may stay");
    assert_eq!(release(&writer, "beside it".into()).await.unwrap(), Settlement::Released);
    assert_eq!(count(&writer, "settled").await, 1);
}

#[tokio::test]
async fn a_full_disk_is_a_fault_for_as_long_as_it_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(folder.path());
    let pages = |most: i64| move |db: &Connection, _| Ok(db.pragma_update(None, "max_page_count", most)?);
    writer.run(pages(1)).await.unwrap();
    let long = |id: u32| format!("{id}-{}", "x".repeat(4_000));
    let answers = join_all((0..100).map(|id| release(&writer, long(id)))).await;
    let refused = answers.iter().filter(|answer| matches!(answer, Err(Fault::Unavailable(_)))).count();
    assert!(refused > 50, "a full disk should refuse most of a hundred long writes, refused {refused}");
    assert_eq!(
        usize::try_from(count(&writer, "settled").await).unwrap(),
        100 - refused,
        "what was refused must not be there"
    );

    writer.run(pages(1_000_000)).await.unwrap();
    for answer in join_all((0..100).map(|id| release(&writer, long(id)))).await {
        assert_eq!(answer.unwrap(), Settlement::Released);
    }
    assert_eq!(count(&writer, "settled").await, 100);
}

#[tokio::test]
async fn a_step_without_a_savepoint_that_fails_halfway_fails_its_whole_commit_once_and_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(folder.path());
    let half = |db: &Connection, now| {
        schema::write_test_row(db, now)?;
        Err::<(), _>(Fault::NotFound("no".into()))
    };
    let (failed, beside) = together(&writer, writer.run_checked(Outdates::Nothing, half)).await;
    assert!(matches!(failed, Err(Fault::Unavailable(_))), "{failed:?}");
    assert!(matches!(beside, Err(Fault::Unavailable(_))), "{beside:?}");
    assert_eq!((count(&writer, "settled").await, count(&writer, "pulse").await), (0, 0));

    let (failed, beside) = together(&writer, writer.run_checked(Outdates::Nothing, half)).await;
    assert!(matches!(failed, Err(Fault::NotFound(_))), "{failed:?}");
    assert_eq!(beside.unwrap(), Settlement::Released, "what is repeated is not failed again by its neighbour");
    assert_eq!((count(&writer, "settled").await, count(&writer, "pulse").await), (1, 0));
}

#[tokio::test]
async fn a_step_without_a_savepoint_that_refuses_before_it_writes_fails_alone() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(folder.path());
    let refuses = |_: &Connection, _| Err::<(), _>(Fault::NotFound("no".into()));
    let (failed, beside) = together(&writer, writer.run_checked(Outdates::Nothing, refuses)).await;
    assert!(matches!(failed, Err(Fault::NotFound(_))), "{failed:?}");
    assert_eq!(beside.unwrap(), Settlement::Released);
}

#[tokio::test]
async fn the_past_is_looked_for_once_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let now = Arc::new(AtomicI64::new(10 * 86_400 * 1_000_000));
    let writer = at(folder.path(), Clock::Turned(Arc::clone(&now)));
    assert_eq!(count(&writer, "settled").await, 0);
    let old = "INSERT INTO settled VALUES ('client:old', 'id', 1, 0)";
    writer.run(move |db, _| Ok(db.execute_batch(old)?)).await.unwrap();
    now.fetch_add(999_999, Ordering::Relaxed);
    assert_eq!(count(&writer, "settled").await, 1);
    assert_eq!(count(&writer, "settled").await, 1);
    now.fetch_add(1, Ordering::Relaxed);
    writer.run(|_, _| Ok(())).await.unwrap();
    assert_eq!(count(&writer, "settled").await, 0);

    writer.run(move |db, _| Ok(db.execute_batch(old)?)).await.unwrap();
    now.fetch_sub(1, Ordering::Relaxed);
    writer.run(|_, _| Ok(())).await.unwrap();
    assert_eq!(count(&writer, "settled").await, 0, "also when the time of day was set back");
}

#[tokio::test]
async fn what_nobody_can_ask_for_any_more_is_forgotten_little_by_little() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(folder.path());
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
        INSERT INTO settled SELECT 'client:old', 'id' || i, 1, ";
    writer.run(move |db, _| Ok(db.execute_batch(&format!("{fill} 0 FROM n"))?)).await.unwrap();
    let mut left = count(&writer, "settled").await;
    assert!(left > 1_000, "one commit should not stop to forget everything, {left} are left");
    while left > 0 {
        let fewer = count(&writer, "settled").await;
        assert!(fewer < left, "every commit should forget some of the {left}");
        left = fewer;
    }
    release(&writer, "young".into()).await.unwrap();
    assert_eq!(count(&writer, "settled").await, 1);
}
