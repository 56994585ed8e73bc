//! A realistic large file: a hundred thousand rows, fifty columns, and everything
//! that a spreadsheet does to a text.

use std::time::Duration;

use end_to_end::{Kind, LONG, Scene, Submitted, read_csv};
use sandbox::Config;

on_both!(a_hundred_thousand_rows_come_back_as_they_were, a_killed_submit_leaves_nothing);

const COLUMNS: usize = 50;

/// Semicolons, CRLF, a byte order mark, quoted line breaks, letters of many alphabets.
fn file(rows: usize) -> (Vec<u8>, Vec<Vec<String>>) {
    let mut header: Vec<String> = (0..COLUMNS).map(|n| format!("Spalte {n}")).collect();
    header[7] = "Ocean Person ID".into();
    let mut all = vec![header];
    for n in 0..rows {
        let mut row: Vec<String> = (0..COLUMNS).map(|c| ((n + c) % 10).to_string()).collect();
        row[0] = format!("Łukasz \"{n}\"; Ελένη");
        row[1] = format!("eins\r\nzwei\n{n}");
        row[7] = format!("p{n}");
        row[49] = "日本".into();
        all.push(row);
    }
    let mut writer = csv::WriterBuilder::new()
        .delimiter(b';')
        .terminator(csv::Terminator::CRLF)
        .from_writer(b"\xef\xbb\xbf".to_vec());
    for record in &all {
        writer.write_record(record).unwrap();
    }
    (writer.into_inner().unwrap(), all)
}

const MAPPED: [&str; 5] =
    ["submit", "big.csv", "--column", "ocean_person_id=Ocean Person ID", "--json"];

async fn a_hundred_thousand_rows_come_back_as_they_were(kind: Kind) {
    let scene = Scene::new(kind, Config::instant()).await;
    let (bytes, rows) = file(100_000);
    std::fs::write(scene.directory.path().join("big.csv"), bytes).unwrap();
    let ended = scene.enqueue(&MAPPED).await.with_code(0);
    let batch = Submitted::read(&ended.stdout);
    assert_eq!((batch.number("rows"), batch.number("queued")), (100_000, 100_000));
    let queued = "SELECT total, queued FROM batch_status";
    assert_eq!(scene.db.rows(queued).await, [["100000", "100000"]]);

    let (header, exported) = read_csv(&scene.export(&batch.id).await);
    assert_eq!(header[..COLUMNS], rows[0]);
    assert_eq!(header[COLUMNS], "reveal_state");
    assert_eq!(exported.len(), 100_000);
    for (shown, row) in exported.iter().zip(&rows[1..]) {
        assert_eq!(shown[..COLUMNS], *row);
    }
}

async fn a_killed_submit_leaves_nothing(kind: Kind) {
    let mut scene = Scene::new(kind, Config::instant()).await;
    scene.set("RUST_LOG", "warn");
    scene.enqueue(&["migrate"]).await.with_code(0);
    let (bytes, _) = file(20_000);
    std::fs::write(scene.directory.path().join("big.csv"), bytes).unwrap();
    let mut before = 0;
    for n in 1..=6 {
        let mut submit = scene.start_enqueue(&MAPPED, None);
        // A sleep on purpose: the submit should die at any point between its first and its last row.
        tokio::time::sleep(Duration::from_millis(150 * n)).await;
        submit.kill();
        let seen = scene.db.rows("SELECT total FROM batch_status").await;
        assert!(seen.iter().all(|total| total[0] == "20000"), "half a batch: {seen:?}");
        before = seen.len();
    }
    let ended = scene.start_enqueue(&MAPPED, None).ended(LONG).await.with_code(0);
    let batch = Submitted::read(&ended.stdout);
    // Rows are shared only with a batch that was published before the kill.
    let shared = if before == 0 { 0 } else { 20_000 };
    assert_eq!((batch.number("rows"), batch.number("shared")), (20_000, shared));
    assert_eq!(scene.db.int("SELECT COUNT(*) FROM batch_status").await, before as i64 + 1);
    // The people of the killed submits are asked for, and only once.
    scene.worker().until_idle().await.with_code(0);
    let ocean = scene.sandbox.stats().ocean;
    assert_eq!((ocean.people, ocean.people_asked_again), (20_000, 0));
    let unlike = "SELECT COUNT(*) FROM batch_status b WHERE b.credits_spent <>
        (SELECT SUM(r.credits) FROM row_status r WHERE r.batch_id = b.batch_id)";
    assert_eq!(scene.db.int(unlike).await, 0, "the rows show what a batch spent");
}
