//! That failures look alike, and take alike long. Time stands still here unless everything waits for it.

use super::*;

/// Knows no name, but thinks about some.
#[derive(Debug)]
struct Slow;

#[async_trait]
impl Resolver for Slow {
    async fn look_up(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let millis: u64 = name.trim_end_matches(".test").trim_start_matches('t').parse().map_err(io::Error::other)?;
        tokio::time::sleep(Duration::from_millis(millis)).await;
        Err(io::Error::other("no such name"))
    }
}

fn slow() -> Fetcher {
    let fetcher = on_loopback();
    assert_eq!(fetcher.told_every, Duration::ZERO);
    Fetcher {
        told_every: TOLD_EVERY,
        reach: Reach { networks: Vec::new(), listeners: Vec::new() },
        resolver: Arc::new(Slow),
        ..fetcher
    }
}

async fn told_after(url: &str, left: Duration) -> Duration {
    let (fetcher, begun) = (slow(), Instant::now());
    let url = PictureUrl::parse(url).unwrap();
    let failed = fetcher.fetch(&payer("ann"), &url, begun + left).await;
    assert!(matches!(failed, Err(NotFetched::Failed { .. })));
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_and_what_is_not_there_are_told_at_the_same_time() {
    let second = Duration::from_secs(1);
    for url in [
        "http://127.0.0.1/",
        "http://10.0.0.1/",
        "https://[::1]/",
        "http://127.0.0.1:6379/",
        "http://93.184.215.14:22/",
        "http://t0.test/",
        "http://t30.test/",
        "http://t990.test/",
        "http://nowhere.test/",
    ] {
        assert_eq!(told_after(url, LONG).await, second, "{url}");
    }
    assert_eq!(told_after("http://t1010.test/", LONG).await, second * 2);
    assert_eq!(told_after("http://t2500.test/", LONG).await, second * 3);
}

#[tokio::test(start_paused = true)]
async fn no_failure_is_told_after_the_deadline() {
    let left = Duration::from_millis(700);
    for url in ["http://127.0.0.1/", "http://t100.test/", "http://t9000.test/"] {
        assert_eq!(told_after(url, left).await, left, "{url}");
    }
}

#[test]
fn the_one_failure_names_the_cause_and_the_host_for_the_log_and_no_more() {
    let url = PictureUrl::parse("https://store.test/hush?hush").unwrap();
    let failure = NotFetched::at(&url, Cause::Refused(([10, 0, 0, 1], 443).into()));
    assert_eq!(failure.to_string(), "https://store.test: 10.0.0.1:443 may not be connected to");
}
