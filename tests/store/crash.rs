//! After kill -9 in the middle, every acknowledged keep is counted, and repeating a doubtful one counts it once.

use crate::world::{LEASE, World, terms};
use rembg_gateway::{
    clock::Clock,
    domain::{
        account::Uid,
        credit::{Admission, Channel, Draw, Hold, HoldRequest, OperationId, Settlement},
    },
    store::{Accounts, Metering, sqlite::SqliteStore},
};
use std::{
    collections::HashSet,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

/// Tells the helper which file to work on, and what its operations are called.
const FILE: &str = "STORE_TEST_CRASH_FILE";
const ROUND: &str = "STORE_TEST_CRASH_ROUND";

/// Requests that the helper has in hand at any time, so that a kill hits a group of them.
const AT_ONCE: usize = 8;

fn uid() -> Uid {
    Uid::new("42").unwrap()
}

/// What the process that was killed had written to its output.
#[derive(Default)]
struct KilledOutput {
    /// Every hold that it had begun to keep.
    begun: Vec<Hold>,
    acknowledged: HashSet<OperationId>,
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9_and_repeats_count_once() {
    let world = World::sqlite();
    world.account("42", 1_000_000, 0).await;
    let file = world.file();
    let _folder = world.close();

    let mut told = KilledOutput::default();
    for round in 0..5 {
        kill_in_the_middle(&file, round, &mut told);
        let store = SqliteStore::open(&file, Clock::Own, terms()).unwrap();
        let counted = audited(&store).await;
        assert!(counted >= told.acknowledged.len(), "{counted} counted, {} acknowledged", told.acknowledged.len());
        assert!(counted <= told.begun.len(), "{counted} counted, {} begun", told.begun.len());
        for hold in &told.begun {
            assert_eq!(store.keep(hold).await.unwrap().settlement, Settlement::Kept);
        }
        assert_eq!(audited(&store).await, told.begun.len(), "every operation counts once");
        told.acknowledged.extend(told.begun.iter().map(|hold| hold.id.clone()));
    }
}

/// Pictures counted, after an audit.
async fn audited(store: &SqliteStore) -> usize {
    let audit = store.audit(&uid()).await.unwrap();
    assert_eq!(audit.differences, []);
    usize::try_from(audit.entries).unwrap()
}

/// Starts the helper, kills it after some acknowledged keeps, and adds what it had told.
fn kill_in_the_middle(file: &Path, round: usize, told: &mut KilledOutput) {
    let mut helper = helper(file, round);
    let lines = BufReader::new(helper.stdout.take().unwrap()).lines().map_while(Result::ok);
    let enough = 15 + 7 * round;
    let mut acknowledged = 0;
    for line in lines {
        if let Some(hold) = line.strip_prefix("begun ") {
            told.begun.push(serde_json::from_str(hold).unwrap());
        } else if let Some(id) = line.strip_prefix("kept ") {
            told.acknowledged.insert(OperationId(id.into()));
            acknowledged += 1;
            if acknowledged == enough {
                helper.kill().unwrap();
            }
        }
    }
    helper.wait().unwrap();
    assert!(acknowledged >= enough, "the helper stopped by itself after {acknowledged}");
}

fn helper(file: &Path, round: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "crash::helper_that_is_killed", "--nocapture"])
        .env(FILE, file)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started, and killed, by the test above"]
async fn helper_that_is_killed() {
    let (file, round) = (std::env::var_os(FILE).unwrap(), std::env::var(ROUND).unwrap());
    let store = Arc::new(SqliteStore::open(Path::new(&file), Clock::Own, terms()).unwrap());
    let hands = (0..AT_ONCE).map(|hand| tokio::spawn(serve_for_ever(Arc::clone(&store), format!("{round}-{hand}"))));
    for hand in hands.collect::<Vec<_>>() {
        hand.await.unwrap();
    }
}

async fn serve_for_ever(store: Arc<SqliteStore>, name: String) {
    for number in 0_u64.. {
        let draw = Draw::Account { uid: uid(), channel: Channel::Api, key: None };
        let id = OperationId(format!("{name}-{number}").into());
        let request = HoldRequest { id, draw, burst: None, lease: LEASE };
        let Admission::Held(hold, _) = store.hold(&request).await.unwrap() else { panic!("no hold for {request:?}") };
        tell(&format!("begun {}", serde_json::to_string(&hold).unwrap()));
        store.keep(&hold).await.unwrap();
        tell(&format!("kept {}", hold.id.0));
    }
}

/// One line, written whole; the test harness may have left one open.
fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}
