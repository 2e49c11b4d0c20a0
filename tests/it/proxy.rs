//! The PROXY protocol is believed from peers that must speak it, and from no others.

use crate::{rawsocket::Raw, world::World};

const ASK: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn a_trusted_peers_word_on_whom_it_speaks_for_counts() {
    let world = World::with(|config| {
        config.listen.proxy_protocol_from = vec!["127.0.0.1".parse().unwrap()];
        config.limits.connections_per_client = 1;
    })
    .await;
    let mut served = Vec::new();
    for source in ["192.0.2.1", "192.0.2.2"] {
        let mut raw = Raw::connect(world.app.public).await;
        raw.send(&format!("PROXY TCP4 {source} 10.0.0.1 4711 443\r\n{ASK}")).await;
        assert_eq!(raw.answer().await.1, "ok\n", "each client has one connection");
        served.push(raw);
    }
    let mut raw = Raw::connect(world.app.public).await;
    raw.try_send(format!("PROXY TCP4 192.0.2.1 10.0.0.1 4712 443\r\n{ASK}").as_bytes()).await;
    assert_eq!(raw.rest().await, "", "and not two, however many the balancer has");
    let counted = world.metric(r#"rgw_rejections_total{by="connections"}"#).await;
    assert!((counted - 1.0).abs() < 0.5, "{counted}");
    let mut raw = Raw::connect(world.app.public).await;
    raw.try_send(ASK.as_bytes()).await;
    assert_eq!(raw.rest().await, "", "without the header nothing is served");
}

#[tokio::test]
async fn nobody_else_can_speak_for_anybody() {
    let world = World::with(|config| config.listen.proxy_protocol_from = vec!["192.0.2.0/24".parse().unwrap()]).await;
    let mut raw = Raw::connect(world.app.public).await;
    raw.try_send(format!("PROXY TCP4 192.0.2.1 10.0.0.1 4711 443\r\n{ASK}").as_bytes()).await;
    let said = raw.rest().await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 400"), "{said}");
}
