//! Identifiers that files join, rightly or by mistake, through the real programs.

use end_to_end::{Kind, Row, Scene, csv_of};
use sandbox::{Config, Provider};

use crate::checks::{books_are_closed, equals_expected, exported, in_order, no_row};

on_both!(
    rows_that_contradict_each_other_stay_two_people,
    what_a_file_joined_by_mistake_is_split,
    a_refresh_of_a_person_under_two_ids_asks_once,
);

const REVEALS: &str = "SELECT COUNT(*) FROM call_log WHERE kind = 'reveal'";

/// Submits rows; returns stderr.
async fn say(scene: &Scene, rows: &[Row], options: &[&str]) -> String {
    scene.know(rows);
    let arguments = [&["submit", "-", "--format", "csv", "--json"], options].concat();
    scene.enqueue_with(&arguments, Some(csv_of(rows))).await.with_code(0).stderr
}

async fn rows_that_contradict_each_other_stay_two_people(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    let Row { linkedin, .. } = Row::linkedin("ann");
    let rows =
        ["found-1", "found-2"].map(|id| Row { linkedin: linkedin.clone(), ..Row::ocean(id) });
    let line = "Rows 1 and 2 contradict each other: ";
    let tried = say(&scene, &rows, &["--dry-run"]).await;
    assert!(tried.contains(line), "{tried}");
    let said = say(&scene, &rows, &[]).await;
    assert_eq!(said.matches("contradict").count(), 1, "{said}");
    assert!(said.contains(line), "{said}");
    scene.worker().until_idle().await.with_code(0);
    let batch = scene.db.text("SELECT batch_id FROM batch_status").await;
    let shown = equals_expected(&scene, &batch, &rows, no_row).await;
    assert_eq!(shown["found"], 2);
    let people = "SELECT COUNT(*) FROM reveal_status WHERE provider = 'ocean' AND state = 'found'";
    assert_eq!(scene.db.int(people).await, 2);
    books_are_closed(&scene).await;
}

async fn what_a_file_joined_by_mistake_is_split(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    let (jane, joe) = (Row::linkedin("found-jane"), Row::clodura("found-joe"));
    let wrong = Row { linkedin: jane.linkedin.clone(), ..joe.clone() };
    let first = scene.submit(std::slice::from_ref(&wrong), &[]).await;
    scene.worker().until_idle().await.with_code(0);
    let joes = exported(&scene, &first.id).await[0]["reveal_phones"].clone();
    let shared = scene.submit(std::slice::from_ref(&jane), &[]).await;
    assert_eq!(exported(&scene, &shared.id).await[0]["reveal_phones"], joes);

    let split = scene.enqueue(&["alias", "split", "--person", "clodura:found-joe"]).await;
    let said = split.with_code(0).stderr;
    assert!(
        said.contains("clodura:found-joe is now separate from linkedin.com/in/found-jane."),
        "{said}"
    );
    for batch in [&first.id, &shared.id] {
        assert!(said.contains(&format!("row 1 of batch {batch}")), "{said}");
    }
    let again = scene.enqueue(&["alias", "split", "--person", "clodura:found-joe"]).await;
    let said = again.with_code(0).stderr;
    assert!(said.contains("nothing was changed"), "{said}");

    let rows = [jane, joe, wrong];
    let later = scene.submit(&rows, &[]).await;
    assert_eq!((later.number("queued"), later.number("shared")), (1, 2), "{}", later.report);
    scene.worker().until_idle().await.with_code(0);
    let shown = exported(&scene, &later.id).await;
    let expected = scene.sandbox.expected(Provider::Clodura, &rows[0].linkedin);
    assert_ne!(shown[0]["reveal_phones"], joes);
    assert_eq!(
        in_order(&shown[0]["reveal_phones"]),
        in_order(&phones_of(&scene, &rows[0])),
        "{expected:?}"
    );
    for row in &shown[1..] {
        assert_eq!(row["reveal_phones"], joes);
    }
    assert_eq!(exported(&scene, &first.id).await[0]["reveal_phones"], joes, "it keeps its result");
    assert_eq!(scene.db.int(REVEALS).await, 2);
    books_are_closed(&scene).await;
}

fn phones_of(scene: &Scene, row: &Row) -> String {
    end_to_end::expected(&scene.sandbox, row).2
}

/// The person was asked by id and by address before a row showed that both mean one person.
async fn a_refresh_of_a_person_under_two_ids_asks_once(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    let address = Row::linkedin("found-jane");
    let id = Row::clodura(scene.sandbox.expected(Provider::Clodura, &address.linkedin).person_id);
    let both = Row { linkedin: address.linkedin.clone(), ..id.clone() };
    scene.submit(&[id.clone(), address.clone()], &[]).await;
    scene.worker().until_idle().await.with_code(0);
    assert_eq!(scene.db.int(REVEALS).await, 2);
    let rows = [id, address, both];
    let refresh = ["--refresh-after", "1ms"];
    let (one, other) = (scene.submit(&rows, &refresh).await, scene.submit(&rows, &refresh).await);
    scene.worker().until_idle().await.with_code(0);
    assert_eq!(scene.db.int(REVEALS).await, 3);
    for batch in [one, other] {
        assert_eq!(equals_expected(&scene, &batch.id, &rows, no_row).await["found"], 3);
    }
    books_are_closed(&scene).await;
}
