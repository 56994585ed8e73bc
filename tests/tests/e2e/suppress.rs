//! Opt-outs, through the real programs: people and numbers that are never asked for or exported.

use end_to_end::{Kind, Row, Scene};
use sandbox::Config;

use crate::checks::{books_are_closed, exported};

on_both!(suppressed_people_are_neither_asked_for_nor_exported, a_bad_list_suppresses_no_one);

async fn import(scene: &Scene, list: &str) -> String {
    let arguments = ["suppress", "import", "-"];
    let ended = scene.enqueue_with(&arguments, Some(list.as_bytes().to_vec())).await;
    ended.with_code(0).stderr
}

async fn suppressed_people_are_neither_asked_for_nor_exported(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    let said = import(&scene, "LinkedIn URL\nhttps://www.linkedin.com/in/found-ann/\n").await;
    assert!(said.contains("1 new entry"), "{said}");
    let rows = [Row::linkedin("found-ann"), Row::ocean("found-1"), Row::ocean("found-2")];
    let batch = scene.submit(&rows, &[]).await;
    assert_eq!((batch.number("queued"), batch.number("suppressed")), (2, 1), "{}", batch.report);
    let said = import(&scene, "ocean:found-1\n").await;
    assert!(said.contains("1 row ended while waiting"), "{said}");
    scene.worker().until_idle().await.with_code(0);
    let shown = exported(&scene, &batch.id).await;
    let ends: Vec<(&str, &str)> =
        shown.iter().map(|row| (&*row["reveal_state"], &*row["reveal_reason"])).collect();
    let suppressed = ("cancelled", "suppressed");
    assert_eq!(ends, [suppressed, suppressed, ("found", "")]);
    assert!(shown[0]["linkedin_url"].contains("found-ann"), "the row's own columns come back");
    let asked = "SELECT COALESCE(SUM(people), 0) FROM call_log WHERE kind = 'reveal'";
    assert_eq!(scene.db.int(asked).await, 1);

    let numbers = shown[2]["reveal_phones"].replace(';', "\n");
    import(&scene, &format!("phone\n{numbers}\n")).await;
    let shown = exported(&scene, &batch.id).await;
    assert_eq!((&*shown[2]["reveal_state"], &*shown[2]["reveal_phones"]), ("cancelled", ""));

    let listed = scene.enqueue(&["suppress", "list"]).await.with_code(0).stdout;
    assert!(listed.contains("linkedin_url") && listed.contains("phone"), "{listed}");
    scene.enqueue(&["suppress", "remove", "--person", "ocean:found-1"]).await.with_code(0);
    let again = scene.submit(&rows[1..2], &[]).await;
    assert_eq!((again.number("queued"), again.number("suppressed")), (1, 0), "{}", again.report);
    scene.worker().until_idle().await.with_code(0);
    books_are_closed(&scene).await;
}

async fn a_bad_list_suppresses_no_one(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    let list = b"linkedin_url\nlinkedin.com/in/found-ann\nlinkedin.com/company/acme\n".to_vec();
    let refused = scene.enqueue_with(&["suppress", "import", "-"], Some(list.clone())).await;
    let said = refused.with_code(3).stderr;
    assert!(said.contains("<stdin>:3: linkedin_url: is a company's page"), "{said}");
    assert_eq!(scene.db.int("SELECT COUNT(*) FROM suppression_list").await, 0);
    let arguments = ["suppress", "import", "-", "--skip-invalid"];
    scene.enqueue_with(&arguments, Some(list)).await.with_code(0);
    assert_eq!(scene.db.int("SELECT SUM(entries) FROM suppression_list").await, 1);
}
