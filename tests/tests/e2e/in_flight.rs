//! How many requests are open at once, at a provider that answers faster than people are claimed.

use end_to_end::{Kind, LONG, Row, Scene};
use sandbox::{Config, Endpoint};

use crate::checks::{books_are_closed, equals_expected, no_row};

on_both!(
    no_more_requests_are_open_than_allowed,
    what_is_claimed_is_not_sent_after_a_refusal,
    what_is_claimed_is_given_back_at_the_end,
);

/// The fewest requests for which a worker claims ahead.
const ALLOWED: u64 = 8;

/// A scene without a rate that would limit anything, and its people.
async fn fast(kind: Kind, config: Config) -> (Scene, Vec<Row>) {
    let mut scene = Scene::new(kind, config).await;
    scene.set("CLODURA_RATE", "100000/s");
    scene.set("CLODURA_MAX_IN_FLIGHT", ALLOWED.to_string());
    (scene, (0..600).map(|n| Row::clodura(format!("c{n}"))).collect())
}

async fn no_more_requests_are_open_than_allowed(kind: Kind) {
    let (scene, rows) = fast(kind, Config::instant()).await;
    let batch = scene.submit(&rows, &[]).await;
    scene.worker().until_idle().await.with_code(0);
    equals_expected(&scene, &batch.id, &rows, no_row).await;
    books_are_closed(&scene).await;
    assert_eq!(scene.charged_again(), 0);
    // One may be for the balance.
    let most = scene.sandbox.stats().clodura.most_in_flight;
    assert!(most <= ALLOWED + 1, "{most} requests were open at once");
}

async fn what_is_claimed_is_not_sent_after_a_refusal(kind: Kind) {
    let mut config = Config::instant();
    config.clodura.limits.quota = 300;
    let (scene, rows) = fast(kind, config).await;
    scene.submit(&rows, &[]).await;
    let worker = scene.worker().start().await;
    let gate = "SELECT gate FROM provider_status WHERE provider = 'clodura'";
    scene.until(gate, "closed").await;
    let sending = "SELECT COUNT(*) FROM reveal_status WHERE state = 'sending'";
    scene.until(sending, "0").await;
    let refused = |stats: &sandbox::Stats| {
        let by_status = stats.requests.get(&Endpoint::CloduraReveal);
        by_status.and_then(|by_status| by_status.get("429")).copied().unwrap_or(0)
    };
    assert!(scene.sandbox.wait_for(LONG, |stats| refused(stats) > 0).await);
    let refused = refused(&scene.sandbox.stats());
    assert!(
        refused <= ALLOWED,
        "{refused} requests were refused: some left after the first refusal"
    );
    worker.stop().await.with_code(0);
    let attempts = "SELECT COALESCE(MAX(attempts), 0) FROM row_status WHERE state = 'retrying'";
    assert_eq!(scene.db.int(attempts).await, 0, "what was not sent is no attempt");
}

async fn what_is_claimed_is_given_back_at_the_end(kind: Kind) {
    let (scene, _) = fast(kind, Config::instant()).await;
    let rows: Vec<Row> = (0..5_000).map(|n| Row::clodura(format!("c{n}"))).collect();
    let batch = scene.submit(&rows, &[]).await;
    let worker = scene.worker().start().await;
    let accepted = |stats: &sandbox::Stats| stats.clodura.accepted_requests;
    assert!(scene.sandbox.wait_for(LONG, |stats| accepted(stats) >= 300).await);
    worker.stop().await.with_code(0);
    assert!(accepted(&scene.sandbox.stats()) < 5_000, "the worker was faster than the test");
    let sending = "SELECT COUNT(*) FROM reveal_status WHERE state = 'sending'";
    assert_eq!(scene.db.int(sending).await, 0);
    scene.worker().until_idle().await.with_code(0);
    equals_expected(&scene, &batch.id, &rows, no_row).await;
    assert_eq!(scene.charged_again(), 0);
}
