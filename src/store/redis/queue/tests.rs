use super::*;
use crate::domain::credit::{Channel, Draw, HoldRequest, OperationId};
use std::time::Duration;

fn uid(name: &str) -> Uid {
    Uid::new(name).unwrap()
}

/// A queue with so many operations of each account, and who waits for them.
fn queue(of: &[(&str, usize)]) -> (Queue, Vec<oneshot::Receiver<Result<String>>>) {
    let (mut queue, mut waiting) = (Queue::default(), Vec::new());
    for (name, count) in of {
        for number in 0..*count {
            let (to, answer) = oneshot::channel();
            let operation = Operation::Release { id: OperationId(number.to_string().into()), uid: uid(name) };
            queue.push(Waiting { operation, to });
            waiting.push(answer);
        }
    }
    (queue, waiting)
}

/// The next call: accounts, and the ids of their operations.
fn next(queue: &mut Queue) -> Vec<(String, Vec<usize>)> {
    let id = |waiting: &Waiting| {
        let Operation::Release { id, .. } = &waiting.operation else { panic!("only releases wait") };
        id.0.parse().unwrap()
    };
    let of_account = |account: Vec<Waiting>| (account[0].operation.uid().to_string(), account.iter().map(id).collect());
    queue.next().0.into_iter().map(of_account).collect()
}

fn numbers(range: std::ops::Range<usize>) -> Vec<usize> {
    range.collect()
}

#[test]
fn an_account_alone_fills_a_call_and_keeps_its_order() {
    let (mut queue, _waiting) = queue(&[("a", OPERATIONS + 3)]);
    assert_eq!(next(&mut queue), [("a".into(), numbers(0..OPERATIONS))]);
    assert_eq!(next(&mut queue), [("a".into(), numbers(OPERATIONS..OPERATIONS + 3))]);
    assert_eq!(next(&mut queue), []);
}

#[test]
fn a_busy_account_leaves_room_for_others() {
    let (mut queue, _waiting) = queue(&[("a", 1_000), ("b", 2), ("c", 1)]);
    let first = [("a".into(), numbers(0..OPERATIONS - 3)), ("b".into(), vec![0, 1]), ("c".into(), vec![0])];
    assert_eq!(next(&mut queue), first);
}

#[test]
fn an_account_that_is_a_load_has_calls_of_its_own_and_others_go_in_between() {
    let (mut queue, _waiting) = queue(&[("a", 1), ("slow", 100), ("b", 1), ("c", 1)]);
    queue.learn(&uid("slow"), true);
    let sizes = |call: Vec<(String, Vec<usize>)>| -> Vec<(String, usize)> {
        call.into_iter().map(|(name, operations)| (name, operations.len())).collect()
    };
    let of = |name: &str, operations| (name.to_owned(), operations);
    assert_eq!(sizes(next(&mut queue)), [of("a", 1)]);
    assert_eq!(sizes(next(&mut queue)), [of("slow", OPERATIONS)]);
    assert_eq!(sizes(next(&mut queue)), [of("b", 1), of("c", 1)]);
    assert_eq!(sizes(next(&mut queue)), [of("slow", 100 - OPERATIONS)]);
    assert_eq!(sizes(next(&mut queue)), []);
    queue.learn(&uid("slow"), false);
    assert!(queue.loads.is_empty());
}

#[test]
fn many_bytes_go_in_several_calls() {
    let (mut queue, _waiting) = queue(&[]);
    for name in ["a", "b", "c"] {
        let (to, _) = oneshot::channel();
        let id = OperationId("x".repeat(BYTES).into());
        queue.push(Waiting { operation: Operation::Release { id, uid: uid(name) }, to });
    }
    assert_eq!([queue.next().len(), queue.next().len(), queue.next().len(), queue.next().len()], [1, 1, 1, 0]);
}

#[test]
fn a_hold_that_nobody_waits_for_is_not_made_and_keeps_nobody_from_it() {
    let draw = Draw::Account { uid: uid("slow"), channel: Channel::App, key: None };
    let request = HoldRequest { id: OperationId("0".into()), draw, burst: None, lease: Duration::from_secs(1) };
    let (mut queue, _waiting) = queue(&[]);
    queue.learn(&uid("slow"), true);
    queue.push(Waiting { operation: Operation::Hold { request, uid: uid("slow") }, to: oneshot::channel().0 });
    let (to, _answer) = oneshot::channel();
    let operation = Operation::Release { id: OperationId("1".into()), uid: uid("b") };
    queue.push(Waiting { operation, to });
    assert_eq!(next(&mut queue), [("b".into(), vec![1])]);
    assert_eq!(next(&mut queue), []);
}
