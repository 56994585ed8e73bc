//! The evidence that a failed story leaves behind.

use std::path::{Path, PathBuf};

use end_to_end::{Kind, Scene};

use crate::plan::Plan;

const TABLES: [&str; 13] = [
    "batches",
    "batch_totals",
    "batch_rows",
    "row_waterfall",
    "reveals",
    "identity_links",
    "identity_splits",
    "batch_merges",
    "calls",
    "call_reveals",
    "webhook_inbox",
    "provider_gates",
    "workers",
];

/// Writes everything that helps to find the fault into a folder, and returns its path.
pub async fn keep(scene: &Scene, plan: &Plan, faults: &[String]) -> PathBuf {
    let name = format!("random-{:?}-{}", scene.db.kind, plan.seed).to_lowercase();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).expect("a folder for the evidence");
    let write = |name: &str, text: String| {
        std::fs::write(folder.join(name), text).expect("evidence can be written");
    };
    write("faults.txt", faults.join("\n"));
    write("operations.txt", story(plan));
    write("processes.log", scene.log());
    write("sandbox.txt", books(scene));
    for table in TABLES {
        write(&format!("{table}.txt"), dump(scene, table).await);
    }
    if scene.db.kind == Kind::Sqlite {
        for ending in ["", "-wal", "-shm"] {
            let from = format!("{}{ending}", scene.db.file());
            let to = folder.join(format!("reveal.db{ending}"));
            // The last two exist only while a process has the database open.
            drop(std::fs::copy(from, to));
        }
    }
    folder
}

/// The operations of a story, one per line.
pub fn story(plan: &Plan) -> String {
    let mut text = format!("{:?}\n{:?}\n", plan.features, plan.settings);
    for (n, operation) in plan.operations.iter().enumerate() {
        text.push_str(&format!("{n:3} {operation:?}\n"));
    }
    text
}

fn books(scene: &Scene) -> String {
    let all = sandbox::PeopleFilter { limit: usize::MAX, ..Default::default() };
    let mut text = String::new();
    for person in scene.sandbox.people(&all) {
        text.push_str(&format!("{person:?}\n"));
    }
    format!("{text}{:#?}", scene.sandbox.stats())
}

async fn dump(scene: &Scene, table: &str) -> String {
    let columns = match scene.db.kind {
        Kind::Sqlite => format!("SELECT name FROM pragma_table_xinfo('{table}') ORDER BY cid"),
        Kind::Postgres => format!(
            "SELECT column_name FROM information_schema.columns WHERE table_name = '{table}' ORDER BY ordinal_position"
        ),
    };
    let columns = scene.db.column(&columns).await;
    let mut text = format!("{}\n", columns.join(" | "));
    for row in scene.db.try_rows(&format!("SELECT * FROM {table}")).await.unwrap_or_default() {
        text.push_str(&format!("{}\n", row.join(" | ")));
    }
    text
}
