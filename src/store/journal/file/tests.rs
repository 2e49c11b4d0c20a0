use super::*;
use crate::domain::{
    client_address::ClientAddress,
    credit::{Charge, Hold, OperationId},
    time::{Day, UnixMicros},
};
use std::{
    collections::BTreeMap,
    io::Write as _,
    sync::{Mutex, mpsc},
    thread,
    time::Duration,
};

fn entry(id: &str) -> Entry {
    let charge = Charge::Client { client: ClientAddress("::/64".into()), day: Day { year: 2026, month: 3, day: 9 } };
    let hold = Hold { id: OperationId(id.into()), charge, taken: UnixMicros(1), expires: UnixMicros(2) };
    Entry { at: UnixMicros(5), hold }
}

fn journals(folder: &Path) -> Vec<PathBuf> {
    with_ending(folder, ENDING).unwrap()
}

fn lines(path: &Path) -> usize {
    fs::read_to_string(path).unwrap().lines().count()
}

#[test]
fn what_a_process_leaves_the_next_one_finds_but_for_a_torn_last_line() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, found) = JournalFile::open(folder.path()).unwrap();
    assert_eq!(found, []);
    for id in ["a", "b"] {
        journal.append(&entry(id)).unwrap();
    }
    let mut file = File::options().append(true).open(&journal.path).unwrap();
    file.write_all(b"{\"at\":5,\"hold\":{\"id\":\"torn").unwrap();
    drop(journal);
    let (journal, found) = JournalFile::open(folder.path()).unwrap();
    assert_eq!(found, [entry("a"), entry("b")]);
    assert_eq!(journals(folder.path()).len(), 1, "the old file is gone");
    drop(journal);
    assert_eq!(JournalFile::open(folder.path()).unwrap().1.len(), 2, "and its keeps are safe in the new one");
}

#[test]
fn a_line_that_cannot_be_read_is_quarantined_for_a_person() {
    let folder = tempfile::tempdir().unwrap();
    let mut whole = b"{\"of\":\"a later version\"}\n".to_vec();
    entry("a").write_to(&mut whole).unwrap();
    fs::write(folder.path().join("old").with_extension(ENDING), whole).unwrap();
    let (_journal, found) = JournalFile::open(folder.path()).unwrap();
    assert_eq!(found, [entry("a")]);
    let quarantined = fs::read_to_string(folder.path().join(QUARANTINE)).unwrap();
    assert_eq!(quarantined, "{\"of\":\"a later version\"}\n");
}

#[test]
fn a_file_that_another_process_has_open_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (running, _) = JournalFile::open(folder.path()).unwrap();
    running.append(&entry("a")).unwrap();
    let (_other, found) = JournalFile::open(folder.path()).unwrap();
    assert_eq!((found.len(), journals(folder.path()).len()), (0, 2));
}

#[test]
fn many_who_write_at_once_are_all_written() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = JournalFile::open(folder.path()).unwrap();
    thread::scope(|scope| {
        for hand in 0..16 {
            let journal = &journal;
            scope.spawn(move || journal.append(&entry(&format!("{hand}"))).unwrap());
        }
    });
    drop(journal);
    assert_eq!(JournalFile::open(folder.path()).unwrap().1.len(), 16);
}

#[test]
fn an_emptied_or_shrunk_journal_has_room_again() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = JournalFile::open(folder.path()).unwrap();
    let long = Entry { hold: Hold { id: OperationId("x".repeat(1 << 20)), ..entry("").hold }, ..entry("") };
    for full in 1..=2 {
        while !journal.is_full() {
            journal.append(&long).unwrap();
        }
        match full {
            1 => journal.shrink_to([&entry("a")]).unwrap(),
            _ => journal.empty().unwrap(),
        }
        assert!(!journal.is_full());
        assert_eq!(left(folder.path()).unwrap(), 2 - full);
    }
    drop(journal);
    assert_eq!(JournalFile::open(folder.path()).unwrap().1, []);
}

#[test]
fn a_shrunk_journal_is_still_this_processs_own_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = JournalFile::open(folder.path()).unwrap();
    for id in ["a", "b", "c"] {
        journal.append(&entry(id)).unwrap();
    }
    fs::write(journal.path.with_extension(UNFINISHED), "of an attempt that failed").unwrap();
    journal.shrink_to([&entry("b")]).unwrap();
    journal.append(&entry("d")).unwrap();
    let (other, found) = JournalFile::open(folder.path()).unwrap();
    assert_eq!((found.len(), journals(folder.path()).len()), (0, 2));
    drop((journal, other));
    assert_eq!(JournalFile::open(folder.path()).unwrap().1, [entry("b"), entry("d")]);
    assert_eq!(journals(folder.path()).len(), 1);
}

#[test]
fn a_start_that_is_killed_half_way_leaves_nothing_to_drain_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = JournalFile::open(folder.path()).unwrap();
    let entries: Vec<Entry> = (0..100).map(|number| entry(&format!("{number}"))).collect();
    for entry in &entries {
        journal.append(entry).unwrap();
    }
    let whole = fs::read(&journal.path).unwrap();
    for (name, bytes) in [("part", &whole[..whole.len() / 2]), ("copy", &whole[..])] {
        fs::write(folder.path().join(name).with_extension(ENDING), bytes).unwrap();
    }
    fs::write(folder.path().join("other").with_extension(UNFINISHED), &whole).unwrap();
    drop(journal);
    assert_eq!(left(folder.path()).unwrap(), 100);
    let (journal, mut found) = JournalFile::open(folder.path()).unwrap();
    let number = |entry: &Entry| entry.hold.id.0.parse::<usize>().unwrap();
    found.sort_by_key(number);
    assert_eq!(found, entries);
    assert_eq!((journals(folder.path()), lines(&journal.path)), (vec![journal.path.clone()], 100));
    assert_eq!(with_ending(folder.path(), UNFINISHED).unwrap(), Vec::<PathBuf>::new());
}

#[test]
fn who_opens_waits_for_another_who_has_made_a_file_and_not_locked_it_yet() {
    let folder = tempfile::tempdir().unwrap();
    let opening = alone(folder.path(), FlockOperation::LockExclusive).unwrap();
    let path = folder.path().join("other").with_extension(ENDING);
    let other = File::options().append(true).create_new(true).open(&path).unwrap();
    let (opened, has_opened) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| opened.send(JournalFile::open(folder.path()).unwrap().1.len()).unwrap());
        assert!(has_opened.recv_timeout(Duration::from_millis(200)).is_err(), "it should wait");
        flock(&other, FlockOperation::NonBlockingLockExclusive).unwrap();
        drop(opening);
        assert_eq!(has_opened.recv().unwrap(), 0);
    });
    assert!(path.exists(), "it is another's");
}

#[test]
fn of_many_who_open_at_once_each_starts_and_every_keep_goes_to_exactly_one() {
    const HANDS: usize = 8;
    const TURNS: usize = 40;
    let folder = tempfile::tempdir().unwrap();
    let times: Mutex<BTreeMap<String, usize>> = Mutex::default();
    let drained = |entries: &[Entry]| {
        let mut times = times.lock().unwrap();
        for entry in entries {
            *times.entry(entry.hold.id.0.clone()).or_default() += 1;
        }
    };
    thread::scope(|scope| {
        for hand in 0..HANDS {
            let (folder, drained) = (folder.path(), &drained);
            scope.spawn(move || {
                for turn in 0..TURNS {
                    let (journal, mut found) = JournalFile::open(folder).unwrap();
                    let own = entry(&format!("{hand}-{turn}"));
                    journal.append(&own).unwrap();
                    found.push(own);
                    match turn % 4 {
                        // One is drained, and the journal is emptied.
                        0 => {
                            drained(&found);
                            journal.empty().unwrap();
                        }
                        // One is drained. The others are left, in another file if nobody is opening a journal.
                        1 if journal.shrink_to(&found[1..]).is_ok() => drained(&found[..1]),
                        // Killed.
                        _ => {}
                    }
                }
            });
        }
    });
    drained(&JournalFile::open(folder.path()).unwrap().1);
    let times = times.into_inner().unwrap();
    assert_eq!(times.len(), HANDS * TURNS, "some were lost");
    assert!(times.values().all(|times| *times == 1), "some were handed to two: {times:?}");
    assert_eq!(journals(folder.path()).len(), 1);
}
