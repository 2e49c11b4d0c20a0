//! How much there is of the metrics.

use crate::{backend::StubBackend, form::Form, gateway::Installation, people::Person};
use std::collections::BTreeSet;

#[tokio::test]
async fn with_five_plans_and_four_backends_there_are_at_most_two_thousand_series() {
    let gateway = Installation::new().await;
    for plan in ["Free", "Iron", "Silver", "Gold"] {
        gateway.set(&format!("plans.{plan} = {{ credits = 9, burst = {{ per_minute = 60, size = 10 }} }}"));
    }
    let more = [StubBackend::start().await, StubBackend::start().await, StubBackend::start().await];
    let urls: Vec<String> = more.iter().chain([&gateway.backend]).map(StubBackend::url).collect();
    let key = gateway.customer("ann", 5);
    let serving = gateway.serve_with(&[("REMBG_GATEWAY__BACKEND__URLS", urls.join(",").as_str())]);
    assert_eq!(serving.person(&key).cut(&Form::with_picture()).await.status, 200);
    let text = Person::stranger(serving.admin).get("/metrics").await.body;
    let text = String::from_utf8(text.to_vec()).unwrap();
    let series: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let values = |label: &str| -> BTreeSet<&str> {
        let label = format!("{label}=\"");
        series.iter().filter_map(|line| line.split(&label).nth(1)?.split('"').next()).collect()
    };
    assert_eq!(values("plan").len(), 6, "five, and that of anonymous callers: {:?}", values("plan"));
    assert_eq!(values("backend").len(), 5, "four addresses, and the kind: {:?}", values("backend"));
    assert!(series.len() <= 2_000, "{} series", series.len());
    // Far fewer would mean that combinations are missing.
    assert!(series.len() >= 1_000, "{} series", series.len());
}
