//! Bodies that are not as published, through the real path.

use end_to_end::{Kind, Row, Scene};
use sandbox::{Config, OceanBody, Provider};

use crate::checks::{books_are_closed, equals_expected, no_row, spent};

on_both!(odd_bodies_cost_no_result, what_is_no_number_is_not_exported);

fn people() -> Vec<Row> {
    let ocean = (0..60).map(|n| Row::ocean(format!("{}", 7_000 + n)));
    let clodura = (0..40).map(|n| Row::clodura(format!("{}", 8_000 + n)));
    ocean.chain(clodura).collect()
}

async fn odd_bodies_cost_no_result(kind: Kind) {
    for body in [OceanBody::Phones, OceanBody::Results] {
        let mut config = Config::instant();
        (config.ocean.webhooks.odd_rate, config.clodura.webhooks.odd_rate) = (1.0, 1.0);
        config.ocean.body = body;
        let mut scene = Scene::new(kind, config).await;
        scene.set("OCEAN_BATCH_SIZE", "3");
        scene.set("OCEAN_RATE", "1000/s");
        scene.set("CLODURA_RATE", "1000/s");
        let batch = scene.submit(&people(), &[]).await.id;
        scene.worker().until_idle().await.with_code(0);
        equals_expected(&scene, &batch, &people(), no_row).await;
        books_are_closed(&scene).await;
        assert_eq!(spent(&scene, "ocean").await, scene.charged(Provider::Ocean));
        assert_eq!(
            scene.db.int("SELECT COUNT(*) FROM webhook_log WHERE outcome = 'malformed'").await,
            0
        );
    }
}

async fn what_is_no_number_is_not_exported(kind: Kind) {
    let mut config = Config::instant();
    config.ocean.webhooks.no_number_rate = 1.0;
    let scene = Scene::new(kind, config).await;
    let rows = [Row::ocean("found-1"), Row::ocean("found-2")];
    let batch = scene.submit(&rows, &[]).await.id;
    let worker = scene.worker().start().await;
    scene.until("SELECT COUNT(*) FROM webhook_log WHERE outcome = 'malformed'", "1").await;
    scene.until("SELECT awaiting FROM batch_status", "2").await;
    let reason = "SELECT gate_reason FROM provider_status WHERE provider = 'ocean'";
    assert_eq!(scene.db.text(reason).await, "unreadable_numbers");
    worker.stop().await.with_code(0);
    assert!(!scene.export(&batch).await.contains("reception"));
}
