//! Four downloads of one payer at once.

use super::*;
use tokio::{sync::Semaphore, task::JoinSet};

fn hanging() -> Manner {
    Manner::SendAndHang(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n".to_vec())
}

/// Waits until nobody is remembered.
async fn forgotten(fetcher: &Fetcher) {
    while fetcher.slots.payers() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_fifth_download_of_a_payer_waits_and_nobody_elses_does() {
    let server = Server::start(|_| hanging()).await;
    let (fetcher, url) = (Arc::new(on_loopback()), server.url("store.test", "/"));
    let mut under_way = Vec::new();
    for _ in 0..4 {
        under_way.push(fetch(&fetcher, &url).await.unwrap());
    }
    let mut fifth = Box::pin(fetch(&fetcher, &url));
    assert!(futures_util::poll!(&mut fifth).is_pending());
    let other = fetcher.fetch(&payer("bob"), &url, Instant::now() + LONG).await.unwrap();
    assert!(futures_util::poll!(&mut fifth).is_pending());
    assert_eq!(server.accepted(), 5, "ann's four and bob's one");
    drop(under_way.pop());
    let fifth = fifth.await.unwrap();
    assert_eq!(server.accepted(), 6);
    drop((under_way, fifth, other));
    assert_eq!(fetcher.slots.payers(), 0);
}

#[tokio::test]
async fn who_waits_in_vain_is_too_slow_and_leaves_nothing_behind() {
    let server = Server::start(|_| hanging()).await;
    let (fetcher, url) = (on_loopback(), server.url("store.test", "/"));
    let mut under_way = Vec::new();
    for _ in 0..4 {
        under_way.push(fetch(&fetcher, &url).await.unwrap());
    }
    let soon = Instant::now() + Duration::from_millis(50);
    let failed = cause(fetcher.fetch(&payer("ann"), &url, soon).await);
    assert!(matches!(failed, Cause::TooSlow), "{failed}");
    let mut leaving = Box::pin(fetch(&fetcher, &url));
    assert!(futures_util::poll!(&mut leaving).is_pending());
    drop(under_way);
    drop(leaving);
    assert_eq!((server.accepted(), fetcher.slots.payers()), (4, 0));
}

#[tokio::test]
async fn what_fails_gives_its_turn_back() {
    let fetcher = on_loopback();
    for _ in 0..20 {
        let failed = cause(fetch(&fetcher, &PictureUrl::parse("http://unknown.test/").unwrap()).await);
        assert!(matches!(failed, Cause::Unresolved(_)), "{failed}");
    }
    forgotten(&fetcher).await;
}

/// Answers when it is let go.
#[derive(Debug)]
struct Stuck {
    asked: watch::Sender<usize>,
    go: Semaphore,
}

#[async_trait]
impl Resolver for Stuck {
    async fn look_up(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.send_modify(|asked| *asked += 1);
        self.go.acquire().await.map_err(io::Error::other)?.forget();
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn a_look_up_keeps_its_turn_when_its_caller_leaves() {
    let stuck = Arc::new(Stuck { asked: watch::Sender::new(0), go: Semaphore::new(0) });
    let resolver: Arc<dyn Resolver> = Arc::<Stuck>::clone(&stuck);
    let fetcher = Arc::new(Fetcher { resolver, ..on_loopback() });
    let url = PictureUrl::parse("http://slow.test/").unwrap();
    let mut asking = JoinSet::new();
    for _ in 0..4 {
        let (fetcher, url) = (Arc::clone(&fetcher), url.clone());
        asking.spawn(async move { fetch(&fetcher, &url).await.map(drop) });
    }
    stuck.asked.subscribe().wait_for(|asked| *asked == 4).await.unwrap();
    asking.shutdown().await;
    let soon = Instant::now() + Duration::from_millis(50);
    let failed = cause(fetcher.fetch(&payer("ann"), &url, soon).await);
    assert!(matches!(failed, Cause::TooSlow), "{failed}");
    assert_eq!(*stuck.asked.borrow(), 4, "no fifth look-up, though nobody waits for the four");
    stuck.go.add_permits(5);
    let failed = cause(fetch(&fetcher, &url).await);
    assert!(matches!(failed, Cause::NoAddress), "{failed}");
    forgotten(&fetcher).await;
}
