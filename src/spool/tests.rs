use super::*;
use proptest::prelude::*;

fn budgets(memory: u64, disk: u64) -> Budgets {
    let rules = DiskRules { most: disk, kept_for_answers: 0, max_answer: 0, per_client: disk, per_account: disk };
    Budgets::new(memory, rules)
}

fn holder() -> Holder {
    Holder { client: ClientAddress("192.0.2.1".into()), account: None }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
fn a_full_disk_budget_refuses_and_everything_is_given_back() {
    run(async {
        let budgets = budgets(MEMORY_PER_BODY, 10);
        let mut room = Room::growing(&budgets, &holder(), u64::MAX);
        room.write(Bytes::from(vec![1; 1024 * 1024])).await.unwrap();
        let refused = room.write(Bytes::from_static(b"x")).await;
        assert!(matches!(refused, Err(SpoolError::NoRoom)), "{refused:?}");
        drop(room);
        assert_eq!((budgets.memory.used(), budgets.disk.used()), (0, 0));
    });
}

#[test]
fn a_reservation_shrinks_to_what_was_written() {
    run(async {
        let budgets = budgets(100, 100);
        let mut room = Room::with_disk(&budgets, 90, budgets.disk.answer(&holder(), 90).unwrap());
        assert_eq!(budgets.disk.used(), 90);
        room.write(Bytes::from_static(b"seven..")).await.unwrap();
        assert!(matches!(room.write(Bytes::from(vec![0; 84])).await, Err(SpoolError::TooLong(90))));
        assert!(matches!(room.expect(91).await, Err(SpoolError::TooLong(90))));
        room.expect(30).await.unwrap();
        assert_eq!(budgets.disk.used(), 30, "as soon as it is known");
        let body = room.finish();
        assert_eq!((body.len(), budgets.memory.used(), budgets.disk.used()), (7, 7, 0));
    });
}

#[test]
fn the_beginning_of_a_body_is_the_same_wherever_it_is_held() {
    run(async {
        let whole: Vec<u8> = (0..MEMORY_PER_BODY + 100_000).map(|at| (at % 251).to_le_bytes()[0]).collect();
        for memory in [0, 5_000, MEMORY_PER_BODY] {
            for length in [0, 1, 4_096, 20_000, whole.len()] {
                let mut room = Room::growing(&budgets(memory, u64::MAX), &holder(), u64::MAX);
                for piece in whole[..length].chunks(3_000) {
                    room.write(Bytes::copy_from_slice(piece)).await.unwrap();
                }
                let body = room.finish();
                for most in [0, 1, 3_000, 16 * 1024, 2 * whole.len()] {
                    let beginning = body.beginning(most).await.unwrap();
                    assert!(beginning == whole[..length.min(most)], "{most} of {length} with {memory} in memory");
                }
            }
        }
    });
}

#[test]
fn what_is_in_memory_holds_on_to_nothing_larger() {
    run(async {
        let budgets = budgets(MEMORY_PER_BODY, 0);
        let mut room = Room::growing(&budgets, &holder(), u64::MAX);
        let wires_buffer = Bytes::from(vec![1; 64 * 1024]);
        for _ in 0..100 {
            room.write(wires_buffer.slice(..5_000)).await.unwrap();
        }
        assert!(wires_buffer.is_unique(), "the wire can use its buffer again");
        let held: usize = room.tail.iter().map(Bytes::len).sum::<usize>() + room.filling.capacity();
        assert!(held <= 500_000 + 64 * 1024, "{held} bytes are held for 500,000");
        let body = room.finish();
        assert!(body.to_vec().await.unwrap() == vec![1; 500_000]);
    });
}

#[test]
fn a_large_piece_is_held_as_it_came() {
    run(async {
        let mut room = Room::growing(&budgets(MEMORY_PER_BODY, 0), &holder(), u64::MAX);
        let large = Bytes::from(vec![1; LARGE_PIECE]);
        for piece in [Bytes::from_static(b"small"), large.clone(), Bytes::from_static(b"small")] {
            room.write(piece).await.unwrap();
        }
        let body = room.finish();
        assert_eq!(body.in_memory_at(5).map(|piece| piece.as_ptr()), Some(large.as_ptr()));
        assert!(body.to_vec().await.unwrap() == [b"small", &large[..], b"small"].concat());
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn what_is_written_is_read_whatever_the_pieces_and_the_memory(
        lengths in prop::collection::vec(0usize..200_000, 0..24),
        memory in 0u64..2_000_000,
    ) {
        run(async {
            let budgets = budgets(memory, u64::MAX);
            let mut room = Room::growing(&budgets, &holder(), u64::MAX);
            let mut all = Vec::new();
            for (index, length) in lengths.iter().enumerate() {
                let piece: Vec<u8> = (0..*length).map(|at| ((at * 31 + index) % 251).to_le_bytes()[0]).collect();
                all.extend_from_slice(&piece);
                room.write(Bytes::from(piece)).await.unwrap();
                assert!(budgets.memory.used() <= MEMORY_PER_BODY.min(memory));
            }
            let body = room.finish();
            assert!(body.to_vec().await.unwrap() == all, "the body came back changed");
            drop(body);
            assert_eq!((budgets.memory.used(), budgets.disk.used()), (0, 0));
        });
    }
}
