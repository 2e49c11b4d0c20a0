//! What a finished request counts as.

use super::*;
use crate::spool::{Budgets, DiskRules};

fn text(metrics: &Metrics) -> String {
    let rules = DiskRules { most: 0, kept_for_answers: 0, max_answer: 0, per_client: 0, per_account: 0 };
    metrics.render(None, &Budgets::new(0, rules)).unwrap()
}

fn served(plan: &str, caller: CallerKind, pool: Option<Pool>) -> Record {
    let mut record = Record::begin("id".into(), Route::Rmbg);
    (record.plan, record.caller, record.spent) = (Some(plan.to_owned()), caller, pool);
    (record.outcome, record.status) = (Outcome::Served, Some(200));
    record
}

#[tokio::test]
async fn a_plan_keeps_its_series_whatever_a_reload_says() {
    let metrics = Metrics::new().unwrap();
    metrics.add_plan("Gold");
    metrics.finish(&served("Gold", CallerKind::App, Some(Pool::Prepaid)));
    metrics.add_plan("Silver");
    metrics.add_plan("Gold");
    metrics.finish(&served("Gold", CallerKind::App, Some(Pool::Prepaid)));
    metrics.finish(&served("Late", CallerKind::Api, Some(Pool::Included)));
    metrics.finish(&served("Gold", CallerKind::Anonymous, None));
    let text = text(&metrics);
    for line in [
        r#"{caller="app",plan="Gold",pool="prepaid"} 2"#,
        r#"{caller="api",plan="Gold",pool="prepaid"} 0"#,
        r#"{caller="app",plan="Silver",pool="included"} 0"#,
        r#"{caller="api",plan="Late",pool="included"} 1"#,
        r#"{caller="anonymous",plan="anonymous",pool="daily"} 1"#,
    ] {
        assert!(text.contains(&format!("\nrgw_pictures_total{line}\n")), "{line} is not in {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn our_own_time_is_what_the_caller_the_queue_and_the_backend_leave() {
    let metrics = Metrics::new().unwrap();
    let mut record = served("Gold", CallerKind::Api, Some(Pool::Included));
    let wait = async |milliseconds| tokio::time::advance(Duration::from_millis(milliseconds)).await;
    wait(3).await;
    record.awaited = Duration::from_millis(2);
    let used = record.backend.clone();
    let queueing = used.queueing();
    wait(50).await;
    drop(queueing);
    for _ in 0..2 {
        let _asking = used.asking("a service");
        wait(400).await;
    }
    wait(4).await;
    metrics.finish(&record);
    let overhead = &metrics.table.overhead;
    assert_eq!(overhead.get_sample_count(), 1);
    assert!((overhead.get_sample_sum() - 0.005).abs() < 1e-9, "{}", overhead.get_sample_sum());
    record.outcome = Outcome::Abandoned;
    metrics.finish(&record);
    assert_eq!(overhead.get_sample_count(), 1, "it is the time of pictures that were answered");
}
