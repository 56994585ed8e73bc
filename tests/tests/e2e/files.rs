//! Files as users have them, through the real programs and back.

use std::path::{Path, PathBuf};

use end_to_end::{Ended, Kind, Row, Scene, Submitted, expected, read_csv, repository};
use sandbox::Config;
use serde_json::Value;

use crate::checks::{books_are_closed, in_order};

on_both!(
    a_messy_file_is_refused_whole_or_taken_in_part,
    odd_bytes_come_back_as_they_were,
    json_lines_come_back_as_they_were,
);

const COLUMNS: [&str; 4] =
    ["--column", "linkedin_url=LinkedIn URL", "--column", "ocean_person_id=Ocean Person ID"];

/// A file in the scene's directory.
fn file(scene: &Scene, name: &str, content: &[u8]) -> PathBuf {
    let path = scene.directory.path().join(name);
    std::fs::write(&path, content).unwrap();
    path
}

fn example(name: &str) -> Vec<u8> {
    std::fs::read(repository().join("examples").join(name)).unwrap()
}

async fn submit(scene: &Scene, path: &Path, options: &[&str]) -> Ended {
    let arguments = [&["submit", path.to_str().unwrap(), "--json"], options].concat();
    scene.enqueue(&arguments).await
}

/// Checks that the revealed columns, which follow the user's columns, are true for `row`.
fn is_true(scene: &Scene, shown: &[String], row: &Row) {
    let (state, provider, phones) = expected(&scene.sandbox, row);
    assert_eq!((&*shown[0], &*shown[1]), (state, &*provider), "{row:?}");
    assert_eq!(in_order(&shown[2]), in_order(&phones), "{row:?}");
}

async fn a_messy_file_is_refused_whole_or_taken_in_part(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    let path = file(&scene, "messy.csv", &example("messy.csv"));
    let refused = submit(&scene, &path, &COLUMNS).await.with_code(3);
    assert_eq!(refused.stdout, "");
    for (line, field) in
        [(4, "linkedin_url"), (8, "the header has 4"), (14, "not UTF-8"), (17, "Notes")]
    {
        let wanted = format!("messy.csv:{line}: {field}");
        assert!(refused.stderr.contains(&wanted), "{wanted}\n{}", refused.stderr);
    }
    assert_eq!(scene.db.int("SELECT COUNT(*) FROM batches").await, 0);

    let taken = submit(&scene, &path, &[&COLUMNS[..], &["--skip-invalid"]].concat()).await;
    let batch = Submitted::read(&taken.with_code(0).stdout);
    assert_eq!((batch.number("rows"), batch.number("rejected")), (5, 9));
    let rejected = std::fs::read(scene.directory.path().join("messy.rejected.csv")).unwrap();
    let rejected = String::from_utf8_lossy(&rejected);
    assert!(rejected.starts_with("\u{feff}reveal_reason;Name;LinkedIn URL;"), "{rejected}");
    scene.worker().until_idle().await.with_code(0);
    let (header, rows) = read_csv(&scene.export(&batch.id).await);
    assert_eq!(header[..5], ["Name", "LinkedIn URL", "Ocean Person ID", "Notes", "reveal_state"]);
    let own: Vec<(&str, &str)> = rows.iter().map(|row| (&*row[0], &*row[3])).collect();
    let notes = ["ruft zurück;\r\nnicht vor 9 Uhr", "", "fine,\r\nreally", "", "last one"];
    let names = ["Jürgen Möller", "Marcus Pruitt", "Paweł Nowak", "Rasmus Kjær", "Takumi Katō"];
    assert_eq!(own, names.into_iter().zip(notes).collect::<Vec<_>>());
    for row in &rows {
        let person = Row { ocean: row[2].clone(), linkedin: row[1].clone(), ..Row::default() };
        is_true(&scene, &row[4..], &person);
    }
    books_are_closed(&scene).await;
}

/// A byte order mark, semicolons, line ends of both kinds, columns of the same name or none, and
/// characters that a database may not like.
async fn odd_bytes_come_back_as_they_were(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    let content = "\u{feff}Näme;Note;Note;ocean_person_id;\r\n\
        Jürgen;\"a;\r\n\"\"b\"\"\";x;found-1;\r\n\
        \r\n\
        東\0京 🦀;;\u{a0}y ;none-2;\\u0000\r\n";
    let path = file(&scene, "odd.csv", content.as_bytes());
    let batch = Submitted::read(&submit(&scene, &path, &[]).await.with_code(0).stdout);
    scene.worker().until_idle().await.with_code(0);
    let (header, rows) = read_csv(&scene.export(&batch.id).await);
    assert_eq!(header[..6], ["Näme", "Note", "Note", "ocean_person_id", "", "reveal_state"]);
    assert_eq!(rows[0][..5], ["Jürgen", "a;\r\n\"b\"", "x", "found-1", ""]);
    assert_eq!(rows[1][..5], ["東\0京 🦀", "", "\u{a0}y ", "none-2", "\\u0000"]);
    for row in &rows {
        is_true(&scene, &row[5..], &Row::ocean(&*row[3]));
    }
    books_are_closed(&scene).await;

    let path = file(&scene, "id.csv", b"ocean_person_id\nfound-3\nfound\0-4\n");
    let refused = submit(&scene, &path, &[]).await.with_code(3);
    assert!(refused.stderr.contains("id.csv:3: ocean_person_id: has an invisible character"));
}

/// The names of an object's fields, in the order in which a line has them.
fn names(line: &str, object: &serde_json::Map<String, Value>) -> Vec<String> {
    let mut names: Vec<String> =
        object.keys().filter(|name| !name.starts_with("reveal_")).cloned().collect();
    let place = |name: &String| line.find(&format!("{}:", Value::from(&**name)));
    names.sort_by_key(place);
    assert!(names.iter().all(|name| place(name).is_some()), "{line}");
    names
}

async fn json_lines_come_back_as_they_were(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    let mut content = String::from_utf8(example("people.jsonl")).unwrap();
    content.push_str("{\"z\\u0000\": \"a\\u0000b\", \"ocean_person_id\": \"found-9\", \"a\": [1, 2.50, null]}\r\n");
    let path = file(&scene, "people.jsonl", content.as_bytes());
    let batch = Submitted::read(&submit(&scene, &path, &[]).await.with_code(0).stdout);
    scene.worker().until_idle().await.with_code(0);
    let export =
        scene.enqueue(&["export", &batch.id, "--format", "jsonl"]).await.with_code(0).stdout;
    assert_eq!(export.lines().count(), content.lines().count());
    for (given, shown) in content.lines().zip(export.lines()) {
        let object: serde_json::Map<String, Value> = serde_json::from_str(given).unwrap();
        let mut with_results: serde_json::Map<String, Value> = serde_json::from_str(shown).unwrap();
        assert_eq!(names(given, &object), names(shown, &with_results));
        let state = with_results["reveal_state"].as_str().unwrap().to_owned();
        assert!(["found", "not_found"].contains(&&*state), "{shown}");
        with_results.retain(|name, _| !name.starts_with("reveal_"));
        assert_eq!(with_results, object);
    }
    books_are_closed(&scene).await;
}
