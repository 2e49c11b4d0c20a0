use super::*;
use crate::{
    domain::{
        account::Uid,
        client_address::ClientAddress,
        credit::{Charge, Settlement},
        time::{Day, UnixMicros},
    },
    store::journal::segments::STAYS,
};
use std::{
    fs::{self, File},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};
use tempfile::TempDir;

/// When every test begins (µs).
const BEGAN: i64 = 1_773_057_600_000_000;

fn hold(id: &str) -> Hold {
    let charge = Charge::Client { client: ClientAddress("::/64".into()), day: Day { year: 2026, month: 3, day: 9 } };
    Hold { id: OperationId(id.into()), charge, taken: UnixMicros(BEGAN), expires: UnixMicros(BEGAN + 1) }
}

fn change() -> Change {
    Change::Granted(Uid::new("42").unwrap(), 5, OperationId("g".into()))
}

/// A journal in a folder, and the clock that it goes by.
fn journal() -> (TempDir, Journal, Arc<AtomicI64>) {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(AtomicI64::new(BEGAN)));
    let journal = Journal::open(folder.path(), Clock::Turned(Arc::clone(&clock))).unwrap();
    (folder, journal, clock)
}

fn again(folder: &TempDir) -> Journal {
    Journal::open(folder.path(), Clock::Turned(Arc::new(AtomicI64::new(BEGAN)))).unwrap()
}

fn began(journal: &Journal, ids: &[&str]) {
    let holds: Vec<Hold> = ids.iter().map(|id| hold(id)).collect();
    journal.begin(holds.iter());
}

fn ended(journal: &Journal, id: &str, settlement: Settlement) {
    let hold = hold(id);
    journal.ended([(&hold.id, hold.charge.payer(), settlement)].into_iter());
}

fn owed(journal: &Journal) -> Vec<String> {
    journal.owed().into_iter().map(|id| id.0.to_string()).collect()
}

/// From now on the disk takes nothing. Gives the file as it was.
fn fills_up(journal: &Journal) -> Arc<File> {
    let full = File::options().append(true).open("/dev/full").unwrap();
    journal.state().segments.swap(Arc::new(full))
}

fn lines(journal: &Journal) -> Vec<JournalLine> {
    journal.files().iter().flat_map(|path| Journal::lines(path).unwrap()).collect()
}

#[test]
fn the_keeps_of_a_process_that_is_gone_are_owed_by_the_next_one_unless_they_ended() {
    let (folder, journal, _) = journal();
    began(&journal, &["a", "b", "c", "d"]);
    ended(&journal, "b", Settlement::Kept);
    ended(&journal, "c", Settlement::Released);
    assert_eq!(journal.give_up(&OperationId("d".into())), GivenUp::Void);
    assert_eq!(keeps_left(folder.path()).unwrap(), 1);
    drop(journal);
    assert_eq!(owed(&again(&folder)), ["a"]);
}

#[test]
fn a_torn_last_line_is_nobodys_and_any_other_that_cannot_be_read_is_set_aside() {
    let (folder, journal, _) = journal();
    began(&journal, &["a"]);
    drop(journal);
    let path = file::all(folder.path()).unwrap().remove(0);
    let mut text = b"{\"of\":\"a later version\"}\n".to_vec();
    text.extend(fs::read(&path).unwrap());
    text.extend(b"{\"begun\":{\"id\":\"torn");
    fs::write(&path, text).unwrap();
    assert_eq!(owed(&again(&folder)), ["a"]);
    let aside = fs::read_to_string(folder.path().join("quarantine.jsonl")).unwrap();
    assert_eq!(aside, "{\"of\":\"a later version\"}\n");
}

#[test]
fn a_file_that_another_process_has_open_is_left_alone() {
    let (folder, running, _) = journal();
    began(&running, &["a"]);
    let other = again(&folder);
    assert_eq!(owed(&other), [""; 0]);
    assert_eq!(file::all(folder.path()).unwrap().len(), 2);
}

/// Gateways that share a folder may each adopt a part of what a dead one has left.
#[test]
fn a_keep_is_not_owed_if_its_end_is_in_a_file_that_another_gateway_has() {
    let (folder, journal, clock) = journal();
    began(&journal, &["a", "b"]);
    clock.fetch_add(60_000_000, Ordering::Relaxed);
    journal.tidy().unwrap();
    assert_eq!(journal.give_up(&OperationId("a".into())), GivenUp::Void);
    drop(journal);
    let files = file::all(folder.path()).unwrap();
    assert_eq!(files.len(), 2);
    let with_end = File::options().append(true).open(&files[1]).unwrap();
    rustix::fs::flock(&with_end, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    let next = again(&folder);
    assert_eq!(owed(&next), ["b"]);
    assert!(next.begin_replay().unwrap().1.contains(&files[1]), "a replay reads what is void there");
}

#[test]
fn what_is_given_up_while_a_replay_is_under_way_is_not_sent() {
    let (_folder, journal, _) = journal();
    began(&journal, &["a", "b"]);
    ended(&journal, "b", Settlement::Kept);
    journal.begin_replay().unwrap();
    let a = OperationId("a".into());
    assert!(!journal.may_replay(&a), "somebody waits for the answer");
    assert_eq!(journal.give_up(&a), GivenUp::Void);
    assert!(!journal.may_replay(&a));
    assert!(journal.may_replay(&OperationId("b".into())));
}

#[test]
fn a_file_without_lines_goes_with_its_process() {
    let (folder, journal, _) = journal();
    drop(journal);
    assert_eq!(file::all(folder.path()).unwrap(), [""; 0].map(PathBuf::from));
}

#[tokio::test]
async fn what_is_promised_is_owed_and_is_no_longer_given_up() {
    let (_folder, journal, _) = journal();
    began(&journal, &["a", "b"]);
    journal.promise(&hold("a")).await.unwrap();
    // One that the store was never asked for is written now.
    journal.promise(&hold("c")).await.unwrap();
    assert_eq!(owed(&journal), ["a"; 1].into_iter().chain(["c"]).collect::<Vec<_>>());
    assert_eq!(journal.give_up(&OperationId("a".into())), GivenUp::Stands);
    assert_eq!(journal.give_up(&OperationId("unknown".into())), GivenUp::Unwritten);
    ended(&journal, "a", Settlement::Kept);
    assert_eq!(owed(&journal), ["c"]);
}

#[tokio::test]
async fn what_was_done_is_there_for_whoever_replays_also_that_of_a_command_beside() {
    let (folder, journal, _) = journal();
    journal.note(change()).await.unwrap();
    note_beside(folder.path(), UnixMicros(BEGAN + 1), change()).unwrap();
    journal.adopt().unwrap();
    assert_eq!(lines(&journal), [BEGAN, BEGAN + 1].map(|at| JournalLine::Done(UnixMicros(at), change())));
    note_beside(&folder.path().join("nowhere"), UnixMicros(BEGAN), change()).unwrap();
    assert!(!folder.path().join("nowhere").exists(), "a command makes no journal where no gateway has one");
}

#[tokio::test]
async fn a_closed_file_goes_after_its_time_and_what_is_owed_moves_on() {
    let (folder, journal, clock) = journal();
    began(&journal, &["a", "b"]);
    ended(&journal, "a", Settlement::Kept);
    journal.promise(&hold("b")).await.unwrap();
    clock.fetch_add(60_000_000, Ordering::Relaxed);
    journal.tidy().unwrap();
    assert_eq!(file::all(folder.path()).unwrap().len(), 2);
    clock.fetch_add(STAYS - 1, Ordering::Relaxed);
    journal.tidy().unwrap();
    assert!(lines(&journal).contains(&JournalLine::Begun(hold("a"))));
    clock.fetch_add(1, Ordering::Relaxed);
    journal.tidy().unwrap();
    assert_eq!(lines(&journal), [JournalLine::Begun(hold("b"))]);
    drop(journal);
    assert_eq!(owed(&again(&folder)), ["b"]);
}

#[test]
fn lines_at_once_are_one_write() {
    let (folder, journal, _) = journal();
    let ids: Vec<String> = (0..1_000).map(|number| format!("{number:04}")).collect();
    began(&journal, &ids.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(lines(&journal).len(), 1_000);
    drop((journal, folder));
}

/// A disk that takes nothing: a line cannot be written, and so there is nothing to take back.
#[tokio::test]
async fn without_a_line_nothing_is_promised_and_nobody_is_admitted_until_the_disk_takes_lines_again() {
    let (folder, journal, _) = journal();
    let disk = fills_up(&journal);
    began(&journal, &["a", "b"]);
    assert!(journal.is_full());
    assert!(journal.promise(&hold("a")).await.is_err());
    assert!(journal.note(change()).await.is_err());
    assert_eq!(journal.give_up(&OperationId("a".into())), GivenUp::Unwritten);
    // The store has taken this one all the same.
    ended(&journal, "b", Settlement::Kept);
    journal.state().segments.swap(disk);
    journal.tidy().unwrap();
    assert!(!journal.is_full());
    let told: Vec<JournalLine> =
        lines(&journal).into_iter().filter(|line| !matches!(line, JournalLine::Done(..))).collect();
    assert_eq!(told, [JournalLine::Begun(hold("b")), JournalLine::Kept(OperationId("b".into()))]);
    drop(journal);
    assert_eq!(owed(&again(&folder)), [""; 0]);
}

/// Then the keep stands, and its release is told so.
#[test]
fn what_cannot_be_declared_void_is_owed() {
    let (_folder, journal, _) = journal();
    began(&journal, &["a"]);
    let _disk = fills_up(&journal);
    for _ in 0..2 {
        assert_eq!(journal.give_up(&OperationId("a".into())), GivenUp::Stands);
    }
    assert_eq!(owed(&journal), ["a"]);
}

/// The line in the closed file would be counted by whoever reads it, so nobody may say that nothing is charged.
#[tokio::test]
async fn a_keep_whose_line_is_in_a_closed_file_stands_if_the_disk_takes_no_more() {
    let (_folder, journal, clock) = journal();
    began(&journal, &["a"]);
    clock.fetch_add(60_000_000, Ordering::Relaxed);
    journal.tidy().unwrap();
    let _disk = fills_up(&journal);
    assert!(journal.promise(&hold("a")).await.is_err());
    assert_eq!(journal.give_up(&OperationId("a".into())), GivenUp::Stands);
}

#[test]
fn a_keep_is_too_old_by_the_day_in_its_id() {
    let (_folder, journal, clock) = journal();
    let midnight = UnixMicros(BEGAN - BEGAN.rem_euclid(DAY));
    let late = Hold { id: OperationId::stamped(UnixMicros(midnight.0 + DAY - 1), "x"), ..hold("x") };
    clock.store(midnight.0 + 6 * DAY, Ordering::Relaxed);
    assert!(!journal.is_too_old(&late));
    clock.fetch_add(1, Ordering::Relaxed);
    assert!(journal.is_too_old(&late));
    assert!(journal.is_too_old(&hold("undated")), "then the hold's own day counts");
}

/// What is acknowledged lies in the files: ten minutes of pictures take no memory.
#[test]
fn what_is_acknowledged_takes_no_memory() {
    const BATCH: usize = 16;
    let (folder, journal, _) = journal();
    for round in 0..1_000 {
        let ids: Vec<String> = (0..BATCH).map(|number| format!("{round}-{number}")).collect();
        began(&journal, &ids.iter().map(String::as_str).collect::<Vec<_>>());
        for id in &ids {
            ended(&journal, id, Settlement::Kept);
        }
    }
    let mut state = journal.state();
    assert!(state.entries.is_empty() && state.unwritten.is_empty());
    let line = "{\"kept\":\"999-15\"}\n".len();
    assert!(state.segments.waiting().len() <= BATCH * line, "only the last call's ends wait for the next line");
    drop(state);
    drop((journal, folder));
}
