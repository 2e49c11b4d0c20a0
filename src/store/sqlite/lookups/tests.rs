use super::*;
use crate::store::sqlite::schema::File;
use futures_util::future::join_all;
use tempfile::TempDir;
use tokio::time::Instant;

/// A file with so many accounts, and a connection of somebody else's to it.
fn file(accounts: usize) -> (TempDir, Lookups, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let file = File::prepare(&folder.path().join("gateway.db")).unwrap();
    let other = file.connect().unwrap();
    for account in 0..accounts {
        other.execute("INSERT INTO accounts (uid) VALUES (?1)", [account.to_string()]).unwrap();
    }
    (folder, Lookups::new(Readers::new(file), Arc::default()), other)
}

fn uid(number: usize) -> Uid {
    Uid::new(number.to_string()).unwrap()
}

async fn credits(lookups: &Lookups, number: usize) -> u64 {
    lookups.account(&uid(number)).await.unwrap().unwrap().credits
}

#[tokio::test]
async fn what_is_remembered_is_not_looked_up() {
    let (_folder, lookups, other) = file(1);
    lookups.callers.confirm(Instant::now());
    assert_eq!(credits(&lookups, 0).await, 0);
    other.execute("UPDATE accounts SET credits = 5", []).unwrap();
    lookups.callers.confirm(Instant::now());
    assert_eq!(credits(&lookups, 0).await, 0);
    lookups.callers.forget_account(&uid(0));
    assert_eq!(credits(&lookups, 0).await, 5);
    other.execute("UPDATE accounts SET credits = 6", []).unwrap();
    lookups.callers.doubt_all();
    assert_eq!(credits(&lookups, 0).await, 6, "what is not confirmed is looked up");
}

#[tokio::test]
async fn lookups_that_wait_go_together() {
    let (_folder, lookups, _other) = file(30);
    lookups.waiting().under_way = true;
    let waiting = join_all((0..30).map(|number| credits(&lookups, number)));
    let task = async {
        let mut task = LookupTask { lookups: lookups.clone(), is_over: false };
        let together = task.next().unwrap();
        assert_eq!(together.len(), 30);
        lookups.waiting().asked = together;
        spawn_blocking(move || task.work_off()).await.unwrap();
    };
    assert_eq!(tokio::join!(waiting, task).0, [0; 30]);
    assert!(!lookups.waiting().under_way);
    assert_eq!(credits(&lookups, 0).await, 0);
}

#[tokio::test]
async fn a_turn_that_ends_early_fails_what_waits_and_nothing_after_it() {
    let (_folder, lookups, _other) = file(1);
    lookups.waiting().under_way = true;
    let nobody = uid(0);
    let task = async { drop(LookupTask { lookups: lookups.clone(), is_over: false }) };
    let (found, ()) = tokio::join!(lookups.account(&nobody), task);
    assert!(matches!(found, Err(Fault::Unavailable(_))), "{found:?}");
    assert_eq!(credits(&lookups, 0).await, 0);
}
