//! What operators see: a real Prometheus reads a gateway that meets every fault, and has an answer for every query of the
//! dashboards and rules. Eight alerts and more fire for a real fault, and cease with it.

mod draw;
mod faults;
mod outcomes;
mod prometheus;
mod queries;
mod scene;

use scene::Scene;
use std::collections::BTreeSet;

/// What Prometheus itself makes.
const PROMETHEUS_OWN: [&str; 2] = ["ALERTS", "up"];

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_every_outcome_and_every_fault_and_each_query_has_an_answer() {
    let scene = Scene::start().await;
    let coming = scene.callers_keep_coming();
    outcomes::provoke_all(&scene).await;
    faults::fire_and_cease(&scene).await;
    drop(coming);
    outcomes::all_were_counted(&scene).await;
    every_query_has_an_answer(&scene).await;
    every_name_exists_and_every_metric_is_described(&scene).await;
    draw::every_dashboard(&scene.prometheus).await;
}

/// Of panels and recording rules the whole expression, of alerts each side of each comparison: a silent alert has no data.
async fn every_query_has_an_answer(scene: &Scene) {
    let mut queries = queries::of_dashboards();
    assert!(queries.len() > 100, "{}", queries.len());
    for rule in scene.prometheus.rules().await {
        assert_eq!(rule.health, "ok", "{}: {}", rule.name, rule.problem);
        if rule.is_alert {
            queries.extend(queries::sides(&rule.query).into_iter().map(|side| (rule.name.clone(), side)));
        } else {
            queries.push((rule.name, rule.query));
        }
    }
    let mut silent = Vec::new();
    for (place, query) in &queries {
        if !scene.prometheus.has_data(query).await {
            silent.push(format!("{place}: {query}"));
        }
    }
    assert!(silent.is_empty(), "{} of {} queries have no data:\n{}", silent.len(), queries.len(), silent.join("\n"));
}

async fn every_name_exists_and_every_metric_is_described(scene: &Scene) {
    let stored = scene.prometheus.names().await;
    let named = queries::names_in(&["grafana/dashboards", "deploy/prometheus"]);
    assert!(named.len() > 60, "{named:?}");
    let told = queries::names_in(&[".", "config", "docs"]);
    let ours = |name: &&String| name.starts_with("rgw_") || name.starts_with("process_");
    let exists = |name: &&String| stored.iter().any(|one| one == *name || queries::family(one) == *name);
    let unknown: Vec<_> = named.union(&told).filter(|name| !exists(name)).collect();
    assert!(unknown.is_empty(), "no gateway and no rule makes {unknown:?}");
    let described = std::fs::read_to_string("docs/metrics.md").unwrap();
    let families: BTreeSet<_> = stored.iter().filter(ours).map(|name| queries::family(name)).collect();
    assert!(families.len() > 60, "{families:?}");
    let forgotten: Vec<_> = families
        .iter()
        .filter(|family| !family.starts_with("process_") && !described.contains(&format!("`{family}")))
        .filter(|family| !named.iter().any(|name| queries::family(name) == **family))
        .collect();
    assert!(forgotten.is_empty(), "neither used nor described: {forgotten:?}");
    assert!(PROMETHEUS_OWN.iter().all(|name| stored.contains(*name)));
}
