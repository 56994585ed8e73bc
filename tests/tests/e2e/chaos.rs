//! kill -9 anywhere: the worker is killed again and again at random moments, against a provider with
//! every kind of fault. In the end every row has its true result, or has expired because
//! no result can have come, and no person was asked or paid for twice.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use end_to_end::{Kind, LONG, Row, Scene};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sandbox::{Config, Provider, RequestFaults, WebhookFaults};

use crate::checks::{books_are_closed, equals_expected, spent};

on_both!(killed_fifty_times);

const KILLS: usize = 50;
const OCEAN: usize = 5_000;
const CLODURA: usize = 2_000;

/// `E2E_SEED` repeats a run's decisions; the timing of the processes still differs.
fn seed() -> u64 {
    let given = std::env::var("E2E_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| rand::random_range(0..1_000_000))
}

fn requests_fail() -> RequestFaults {
    RequestFaults {
        slow_rate: 0.2,
        slow_ms: 300,
        drop_before_rate: 0.04,
        drop_after_rate: 0.04,
        error_before_rate: 0.02,
        error_after_rate: 0.02,
        unavailable_rate: 0.04,
        unreadable_rate: 0.03,
        ..RequestFaults::default()
    }
}

fn webhooks_fail() -> WebhookFaults {
    WebhookFaults {
        lost_rate: 0.01,
        duplicated_rate: 0.2,
        late_rate: 0.1,
        late_ms: 700,
        malformed_rate: 0.01,
        truncated_rate: 0.01,
        out_of_order_rate: 0.2,
        out_of_order_ms: 300,
        shuffled_rate: 0.2,
        early_rate: 0.1,
        extra_fields_rate: 0.2,
        odd_rate: 0.2,
        unknown_person_rate: 0.1,
        in_progress_rate: 0.02,
        in_progress_followup_ms: 500,
        ..WebhookFaults::default()
    }
}

fn broken_world(seed: u64) -> Config {
    let mut config = Config::instant();
    config.seed = seed;
    config.ocean.result_delay_ms = (0, 300);
    config.clodura.result_delay_ms = (0, 300);
    config.clodura.not_found_404_rate = 0.2;
    (config.ocean.faults, config.clodura.faults) = (requests_fail(), requests_fail());
    (config.ocean.webhooks, config.clodura.webhooks) = (webhooks_fail(), webhooks_fail());
    // Deliveries are repeated for long enough that restarts lose none, except malformed ones.
    config.delivery.attempts = 60;
    config.delivery.retry_delay_ms = 200;
    config
}

async fn killed_fifty_times(kind: Kind) {
    let (seed, started) = (seed(), Instant::now());
    println!("E2E_SEED={seed}");
    let mut scene = Scene::new(kind, broken_world(seed)).await;
    scene.set("OCEAN_BATCH_SIZE", "20");
    scene.set("OCEAN_RATE", "12/s");
    scene.set("CLODURA_RATE", "90/s");
    scene.set("HEARTBEAT_TIMEOUT", "1s");
    scene.set("RESULT_DEADLINE", "16s");
    scene.set("MAX_ATTEMPTS", "100");
    scene.set("RUST_LOG", "warn,worker=info");
    let mut rows: Vec<Row> = (0..OCEAN).map(|n| Row::ocean(format!("o{n}"))).collect();
    rows.extend((0..CLODURA).map(|n| Row::clodura(format!("c{n}"))));
    let batch = scene.submit(&rows, &[]).await;

    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..KILLS {
        let mut worker = scene.worker().spawn();
        // From before the worker is ready until well into its work.
        let moment = Duration::from_millis(random.random_range(20..900));
        tokio::time::sleep(moment).await;
        worker.kill();
    }
    scene.worker().until_idle().await.with_code(0);
    // Late webhooks may still improve a row.
    let worker = scene.worker().start().await;
    assert!(scene.sandbox.wait_until_idle(LONG).await);
    scene.until("SELECT COUNT(*) FROM webhook_log WHERE outcome IS NULL", "0").await;
    worker.stop().await.with_code(0);

    let lost = unexplained_calls(&scene).await;
    let tally = equals_expected(&scene, &batch.id, &rows, |_, state| state == "expired").await;
    books_are_closed(&scene).await;
    let stats = scene.sandbox.stats();
    println!(
        "{kind:?}: {KILLS} kills in {:?}; {} requests to Ocean ({} accepted), {} to Clodura ({} accepted); \
         charged {} and {}; {tally:?}; {lost} calls whose webhook was lost",
        started.elapsed(),
        stats.ocean.requests,
        stats.ocean.accepted_requests,
        stats.clodura.requests,
        stats.clodura.accepted_requests,
        stats.ocean.credits_charged,
        stats.clodura.credits_charged,
    );
    for provider in [&stats.ocean, &stats.clodura] {
        assert_eq!((provider.people_asked_again, provider.people_charged_again), (0, 0));
    }
    let never_came = stats.ocean.webhooks.lost + stats.clodura.webhooks.lost;
    assert!(lost as u64 <= never_came, "{lost} calls expired, {never_came} webhooks were lost");
    assert_eq!(spent(&scene, "ocean").await, scene.charged(Provider::Ocean) - unseen(&scene).await);
}

/// Counts the calls that expired although the provider accepted them, without a malformed webhook as the cause.
async fn unexplained_calls(scene: &Scene) -> usize {
    let malformed = "SELECT DISTINCT call_id FROM webhook_log WHERE outcome = 'malformed'";
    let malformed: HashSet<String> = scene.db.column(malformed).await.into_iter().collect();
    let mut calls = HashSet::new();
    for (provider, person, call) in expired(scene).await {
        let taken = scene.sandbox.person(provider, &person).is_some();
        if taken && !malformed.contains(&call) {
            calls.insert(call);
        }
    }
    calls.len()
}

/// The credits that Ocean charged for people whose result never came.
async fn unseen(scene: &Scene) -> i64 {
    let expired = expired(scene).await.into_iter().filter(|(p, ..)| *p == Provider::Ocean);
    let charges =
        expired.filter_map(|(p, person, _)| Some(scene.sandbox.person(p, &person)?.credits));
    i64::try_from(charges.sum::<u64>()).unwrap()
}

async fn expired(scene: &Scene) -> Vec<(Provider, String, String)> {
    let sql = "SELECT provider, person, call_id FROM reveal_status WHERE state = 'expired'";
    let rows = scene.db.rows(sql).await.into_iter();
    rows.map(|row| (row[0].parse().unwrap(), row[1].clone(), row[2].clone())).collect()
}
