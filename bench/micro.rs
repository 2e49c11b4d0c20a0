//! What single parts of the journey cost, in time and in allocations: `cargo bench --bench micro`.
//!
//! Times move with whatever else the machine does; allocations do not.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a measurement that cannot go on has failed")]

use bytes::Bytes;
use divan::{AllocProfiler, Bencher, counter::BytesCount};
use rembg_gateway::{
    clock::Clock,
    domain::{
        account::{Overrides, Uid},
        api_key::KeyId,
        credit::{Admission, Channel, Draw, HoldRequest, KeyDraw, OperationId},
        image_header::HeaderReader,
        multipart::{Boundary, Multipart},
        plan::Terms,
        rate_limit::Burst,
    },
    store::{AccountChange, Metering as _, sqlite::SqliteStore},
};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

/// What one read from a socket brings at most.
const PIECE: usize = 64 << 10;

fn main() {
    divan::main();
}

/// A form with a picture of so many bytes and two fields, in the pieces that it is read in.
fn form(size: usize) -> Vec<Bytes> {
    let part = |name: &str| format!("--limit\r\nContent-Disposition: form-data; name=\"{name}\"");
    let mut body = format!("{}; filename=\"in.png\"\r\nContent-Type: image/png\r\n\r\n", part("image")).into_bytes();
    body.extend((0..size).map(|at| u8::try_from(at * 31 % 251).unwrap_or(0)));
    for (name, value) in [("format", "webp"), ("w", "800")] {
        body.extend(format!("\r\n{}\r\n\r\n{value}", part(name)).into_bytes());
    }
    body.extend(b"\r\n--limit--\r\n");
    body.chunks(PIECE).map(Bytes::copy_from_slice).collect()
}

#[divan::bench(args = [1 << 10, 64 << 10, 4 << 20])]
fn a_form_is_parsed(bencher: Bencher<'_, '_>, size: usize) {
    let boundary = Boundary::announced("multipart/form-data; boundary=limit").unwrap().unwrap();
    let pieces = form(size);
    bencher.counter(BytesCount::new(size)).bench_local(|| {
        let mut parser = Multipart::new(&boundary);
        for piece in &pieces {
            parser.feed(piece.clone());
            while parser.next_event().unwrap().is_some() {}
        }
        assert!(parser.is_complete());
    });
}

#[divan::bench]
fn the_header_of_a_picture_is_read(bencher: Bencher<'_, '_>) {
    // A PNG's signature, and an IHDR that says 640 × 480.
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x01\xe0\x08\x06\0\0\0";
    bencher.bench_local(|| HeaderReader::new().feed(png).unwrap().unwrap());
}

/// Holds and keeps at once; commits are durable, so this is mostly the disk, and less of it the more there are.
#[divan::bench(args = [1, 32], sample_count = 50, sample_size = 1)]
fn a_picture_is_counted_by_sqlite(bencher: Bencher<'_, '_>, at_once: usize) {
    let (runtime, folder, numbers) = (Runtime::new().unwrap(), TempDir::new().unwrap(), AtomicU64::new(0));
    let terms = Terms { renewal_grace: Duration::ZERO, default_plan: ("Free".into(), 1) };
    let store = SqliteStore::open(&folder.path().join("gateway.db"), Clock::Own, terms).unwrap();
    let uid = Uid::new("acme").unwrap();
    let change = AccountChange {
        uid: uid.clone(),
        plan: None,
        credits: Some(1 << 40),
        overrides: Overrides::default(),
        email_verified: Some(true),
        only_new: true,
    };
    runtime.block_on(store.put_account(&change)).unwrap();
    let picture = async || {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let request = HoldRequest {
            id: OperationId::stamped(Clock::Own.now(), &format!("{number:010}")),
            draw: Draw::Account {
                uid: uid.clone(),
                channel: Channel::Api,
                key: Some(KeyDraw { id: KeyId("key_0".into()), monthly_cap: None }),
            },
            burst: Some(Burst { per_minute: 1_000_000, size: 1_000_000 }),
            lease: Duration::from_mins(1),
        };
        let Admission::Held(hold, _) = store.hold(&request).await.unwrap() else { panic!("no hold") };
        store.keep(&hold).await.unwrap();
    };
    bencher.bench_local(|| runtime.block_on(futures_util::future::join_all((0..at_once).map(|_| picture()))));
}
