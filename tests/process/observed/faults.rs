//! Real faults, each with the alerts that fire for it and cease when it is over.

use super::scene::Scene;
use crate::support::{backend::Manner, form::Form, wait::until};
use serde_json::Value;
use std::time::Duration;

/// One after the other.
pub(super) async fn fire_and_cease(scene: &Scene) {
    store_killed_while_a_keep_is_due(scene).await;
    backend_killed(scene).await;
    key_spent(scene).await;
    queue_shed(scene).await;
    certificate_short(scene).await;
    configuration_refused(scene).await;
}

/// Waits until these alerts fire, and looks at what they say.
async fn fires(scene: &Scene, names: &[&str]) {
    for name in names {
        until(&format!("{name} fires"), async || scene.prometheus.fires(name).await).await;
    }
    for (name, said) in scene.prometheus.firing().await {
        for part in ["summary", "description"] {
            let text = said[part].as_str().unwrap_or_default();
            let is_whole =
                !text.is_empty() && !["{{", "<no value>", "<error", "%!"].iter().any(|bad| text.contains(bad));
            assert!(is_whole, "{name}: {said}");
        }
        assert!(matches!(&said["runbook_url"], Value::String(url) if url.starts_with("docs/operations.md#")), "{name}");
    }
}

/// Waits until none of these alerts fires.
async fn is_silent(scene: &Scene, names: &[&str]) {
    for name in names {
        until(&format!("{name} is silent"), async || !scene.prometheus.fires(name).await).await;
    }
}

/// The backend has a picture when the store dies, so that its keep waits in the journal.
async fn store_killed_while_a_keep_is_due(scene: &Scene) {
    let alerts = ["RgwStoreUnavailable", "RgwJournalOld"];
    is_silent(scene, &alerts).await;
    let ann = scene.customer("hal", &[]);
    scene.backends_will(&Manner::Where(vec![("the-last-picture", Manner::Wait)]));
    let form = Form::with_picture().text("note", "the-last-picture");
    let asking = tokio::spawn(async move { ann.cut(&form).await.status });
    scene.a_backend_has("the-last-picture").await;
    scene.redis.kill();
    scene.here.backend.let_one_go();
    scene.second.let_one_go();
    assert_eq!(asking.await.unwrap(), 200, "the picture was made");
    scene.backends_will(&Manner::picture());
    fires(scene, &alerts).await;
    scene.redis.start_again().await;
    is_silent(scene, &alerts).await;
}

/// First one service, then both.
async fn backend_killed(scene: &Scene) {
    is_silent(scene, &["RgwBackendDown", "RgwBackendsDown"]).await;
    scene.second.will(Manner::Close);
    fires(scene, &["RgwBackendDown"]).await;
    assert!(!scene.prometheus.fires("RgwBackendsDown").await);
    scene.here.backend.will(Manner::Close);
    fires(scene, &["RgwBackendsDown"]).await;
    scene.backends_will(&Manner::picture());
    is_silent(scene, &["RgwBackendDown", "RgwBackendsDown"]).await;
}

/// First the account of one key, then that of the other.
async fn key_spent(scene: &Scene) {
    is_silent(scene, &["RgwBackendKeysResting", "RgwBackendAccountExhausted"]).await;
    let spent = Manner::refuses(402, "Payment required", "retry-after: 600\r\n");
    scene.account_is_spent(true);
    scene.backends_will(&Manner::Where(vec![("x-api-key: key-1", spent.clone())]));
    fires(scene, &["RgwBackendKeysResting"]).await;
    assert!(!scene.prometheus.fires("RgwBackendAccountExhausted").await);
    scene.backends_will(&spent);
    fires(scene, &["RgwBackendAccountExhausted"]).await;
    scene.account_is_spent(false);
    scene.backends_will(&Manner::picture());
    is_silent(scene, &["RgwBackendKeysResting", "RgwBackendAccountExhausted"]).await;
}

/// More callers than the queue takes, for as long as it takes.
async fn queue_shed(scene: &Scene) {
    is_silent(scene, &["RgwQueueShedding"]).await;
    let ann = scene.customer("ivy", &[]);
    scene.backends_will(&Manner::Slow(Duration::from_millis(100)));
    let crowds = async {
        loop {
            scene.crowd(&ann, 60).await;
        }
    };
    let fires = fires(scene, &["RgwQueueShedding"]);
    tokio::select! {
        () = fires => {}
        () = crowds => {}
    }
    scene.backends_will(&Manner::picture());
    is_silent(scene, &["RgwQueueShedding"]).await;
}

async fn certificate_short(scene: &Scene) {
    let alerts = ["RgwCertificateNearEnd", "RgwCertificateEnds"];
    is_silent(scene, &alerts).await;
    scene.certificate_lives((70, 20));
    fires(scene, &["RgwCertificateNearEnd"]).await;
    assert!(!scene.prometheus.fires("RgwCertificateEnds").await, "a fifth is left");
    scene.certificate_lives((88, 2));
    fires(scene, &["RgwCertificateEnds"]).await;
    scene.certificate_lives((1, 89));
    is_silent(scene, &alerts).await;
}

/// A setting that only a restart can change.
async fn configuration_refused(scene: &Scene) {
    is_silent(scene, &["RgwReloadFailed"]).await;
    scene.here.change("concurrency = 2", "concurrency = 3");
    scene.reload();
    fires(scene, &["RgwReloadFailed"]).await;
    scene.here.change("concurrency = 3", "concurrency = 2");
    scene.reload();
    is_silent(scene, &["RgwReloadFailed"]).await;
}
