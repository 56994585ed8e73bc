//! Batches of one priority share a provider's rate.

use std::time::{Duration, Instant};

use end_to_end::{Kind, Row, Scene, eventually};
use sandbox::Config;

on_both!(a_small_batch_behind_a_large_one_is_asked_within_seconds);

fn people(name: &str, many: usize) -> Vec<Row> {
    (0..many).map(|n| Row::clodura(format!("found-{name}{n}"))).collect()
}

async fn a_small_batch_behind_a_large_one_is_asked_within_seconds(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    let large = scene.submit(&people("large", 20_000), &[]).await;
    let worker = scene.worker().set("CLODURA_RATE", "5/s").start().await;
    let asked = |batch: &str| {
        format!(
            "SELECT CASE WHEN people_asked > 0 THEN 1 ELSE 0 END FROM batch_spend
             WHERE batch_id = '{batch}' AND provider = 'clodura'"
        )
    };
    scene.until(&asked(&large.id), "1").await;
    let small = scene.submit(&people("small", 200), &[]).await;
    let published = Instant::now();
    scene.until(&asked(&small.id), "1").await;
    assert!(published.elapsed() < Duration::from_secs(10), "{:?}", published.elapsed());
    // At first both batches may wait for the canary.
    until_status_says(&scene, &small.id, "waiting alongside another batch of the same priority")
        .await;
    scene.enqueue(&["priority", &small.id, "3"]).await.with_code(0);
    until_status_says(&scene, &large.id, "of a higher priority").await;
    worker.stop().await.with_code(0);
}

async fn until_status_says(scene: &Scene, batch: &str, words: &str) {
    eventually(words, || async {
        let status = scene.enqueue(&["status", batch]).await.with_code(0);
        format!("{}{}", status.stdout, status.stderr).contains(words).then_some(())
    })
    .await;
}
