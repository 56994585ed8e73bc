//! `--providers available`: users with one key can finish a batch.

use end_to_end::{Kind, Row, Scene, csv_of};
use sandbox::Config;

use crate::checks::books_are_closed;

on_both!(only_providers_that_are_set_up_are_asked);

async fn only_providers_that_are_set_up_are_asked(kind: Kind) {
    let mut scene = Scene::new(kind, Config::instant()).await;
    scene.set("CLODURA_API_KEY", "");
    let rows = [Row::both("none-1", "found-1"), Row::ocean("found-2")];
    scene.know(&rows);
    scene.worker().until_idle().await.with_code(0);
    let arguments = ["submit", "-", "--format", "csv", "--providers", "available"];
    let batch = scene.enqueue_with(&arguments, Some(csv_of(&rows))).await.with_code(0).stdout;
    scene.worker().until_idle().await.with_code(0);
    let states = "SELECT CAST(not_found AS TEXT) || found FROM batch_status";
    assert_eq!(scene.db.text(states).await, "11", "{batch}");
    books_are_closed(&scene).await;
}
