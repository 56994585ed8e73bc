//! `--want mobile`: the next provider is asked where the first has only other numbers, and nothing that was found is lost.

use end_to_end::{Kind, Row, Scene};
use sandbox::Config;

use crate::checks::{books_are_closed, exported};

on_both!(only_people_without_a_mobile_number_are_asked_twice);

const ROWS: usize = 60;

async fn only_people_without_a_mobile_number_are_asked_twice(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    let rows: Vec<Row> =
        (0..ROWS).map(|n| Row::both(format!("found-{n}"), format!("found-{n}"))).collect();
    let batch = scene.submit(&rows, &["--want", "mobile"]).await;
    scene.worker().until_idle().await.with_code(0);
    let shown = exported(&scene, &batch.id).await;
    assert!(
        shown.iter().all(|row| row["reveal_state"] == "found" && !row["reveal_phones"].is_empty())
    );
    let without = format!(
        "SELECT {ROWS} - COUNT(DISTINCT row_number) FROM row_phones
         WHERE provider = 'ocean' AND type IN ('mobile', 'fixed_or_mobile')"
    );
    let without = scene.db.int(&without).await;
    assert!((1..ROWS as i64).contains(&without), "{without} without a mobile number");
    let asked = |provider: &str| {
        format!(
            "SELECT SUM(people) FROM call_log WHERE kind = 'reveal' AND provider = '{provider}'"
        )
    };
    assert_eq!(scene.db.int(&asked("ocean")).await, ROWS as i64);
    assert_eq!(scene.db.int(&asked("clodura")).await, without);
    let of_ocean = "SELECT COUNT(DISTINCT row_number) FROM row_phones WHERE provider = 'ocean'";
    assert_eq!(scene.db.int(of_ocean).await, ROWS as i64, "what Ocean found stays with its rows");
    let again = scene.submit(&rows, &["--want", "mobile"]).await;
    assert_eq!(again.number("shared"), ROWS as i64, "{}", again.report);
    books_are_closed(&scene).await;
}
