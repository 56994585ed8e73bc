//! Bad rows that a submit left out, and that an export returns at their original places.

use end_to_end::{Kind, Scene, Submitted, read_csv};
use sandbox::Config;

use crate::checks::books_are_closed;

on_both!(bad_rows_come_back_in_their_places, bad_lines_of_json_come_back);

/// Submits a file with bad rows, works, and returns the batch's id.
async fn worked(scene: &Scene, name: &str, text: &[u8]) -> String {
    let file = scene.directory.path().join(name);
    std::fs::write(&file, text).unwrap();
    let arguments = ["submit", file.to_str().unwrap(), "--skip-invalid", "--json"];
    let batch = Submitted::read(&scene.enqueue(&arguments).await.with_code(0).stdout);
    scene.worker().until_idle().await.with_code(0);
    batch.id
}

async fn bad_rows_come_back_in_their_places(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    let file = b"Name,ocean_person_id\n\
        First,has two words\n\
        Ann,found-1\n\
        Broken,two,cells,many\n\
        Bytes,\xe9\n\
        Bob,none-2\n\
        Last,\n";
    let batch = worked(&scene, "people.csv", file).await;
    let plain = read_csv(&scene.export(&batch).await).1;
    assert_eq!(plain.len(), 2);
    for (states, wanted) in [
        (None, ["First", "Ann", "Broken", "Bytes,\u{fffd}", "Bob", "Last"].as_slice()),
        (Some("found"), ["First", "Ann", "Broken", "Bytes,\u{fffd}", "Last"].as_slice()),
    ] {
        let mut arguments = vec!["export", &batch, "--with-rejected"];
        arguments.extend(states.iter().flat_map(|states| ["--states", states]));
        let (header, rows) = read_csv(&scene.enqueue(&arguments).await.with_code(0).stdout);
        let names: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
        assert_eq!(names, wanted);
        let state = header.iter().position(|name| name == "reveal_state").unwrap();
        let reason = header.iter().position(|name| name == "reveal_reason").unwrap();
        assert_eq!((&*rows[0][state], &*rows[1][state]), ("invalid", "found"));
        assert!(rows[0][reason].contains("white space inside"), "{:?}", rows[0]);
    }
    let output = scene.directory.path().join("all.xlsx");
    let arguments = ["export", &batch, "--with-rejected", "-o", output.to_str().unwrap()];
    let said = scene.enqueue(&arguments).await.with_code(0).stderr;
    assert!(said.contains("6 rows written"), "{said}");
    scene.enqueue(&["erase", "--person", "ocean:found-1"]).await.with_code(0);
    books_are_closed(&scene).await;
}

async fn bad_lines_of_json_come_back(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    let file = b"{\"ocean_person_id\":\"found-1\"}\nno JSON\n{\"ocean_person_id\":\"\",\"n\":1}\n";
    let batch = worked(&scene, "people.jsonl", file).await;
    let arguments = ["export", &batch, "--with-rejected"];
    let text = scene.enqueue(&arguments).await.with_code(0).stdout;
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!((&lines[1]["line"], &lines[2]["n"]), (&"no JSON".into(), &1.into()));
    let states: Vec<&str> =
        lines.iter().map(|line| line["reveal_state"].as_str().unwrap()).collect();
    assert_eq!(states, ["found", "invalid", "invalid"]);
}
