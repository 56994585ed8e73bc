//! From a CRM's export to a file that the CRM takes back.

use end_to_end::{Kind, Scene, Submitted, read_csv, repository};
use sandbox::Config;

use crate::checks::books_are_closed;

on_both!(a_hubspot_export_comes_back_for_hubspot, a_salesforce_report_comes_back_for_salesforce);

fn kept(name: &str) -> String {
    let path = repository().join("tests/tests/e2e/crm").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Submits a file unchanged, works, exports it for a re-import, and compares the export with the expected file.
async fn comes_back(kind: Kind, name: &str, options: &[&str]) {
    let mut scene = Scene::new(kind, Config::instant()).await;
    scene.set("CLODURA_PARTNERS", "false");
    let given = scene.directory.path().join("contacts.csv");
    std::fs::write(&given, kept(&format!("{name}.csv"))).unwrap();
    let ended = scene.enqueue(&["submit", given.to_str().unwrap(), "--json"]).await.with_code(0);
    let batch = Submitted::read(&ended.stdout);
    scene.worker().until_idle().await.with_code(0);
    let arguments = [&["export", &batch.id, "--wide"], options].concat();
    let mut export = scene.enqueue(&arguments).await.with_code(0).stdout;
    let (header, rows) = read_csv(&export);
    let at = header.iter().position(|name| name == "reveal_at").unwrap();
    for row in rows.iter().filter(|row| !row[at].is_empty()) {
        export = export.replace(&row[at], "REVEALED_AT");
    }
    assert_eq!(export, kept(&format!("{name}.expected.csv")));
    books_are_closed(&scene).await;
}

async fn a_hubspot_export_comes_back_for_hubspot(kind: Kind) {
    comes_back(kind, "hubspot", &["--states", "found"]).await;
}

async fn a_salesforce_report_comes_back_for_salesforce(kind: Kind) {
    comes_back(kind, "salesforce", &[]).await;
}
