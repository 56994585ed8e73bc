use std::collections::BTreeMap;

use clap::Args;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use console::{measure_text_width, truncate_str};
use serde::Serialize;
use store::{BatchRef, BatchStatus, Store};
use tokio::time::Instant;

use crate::failure::Failure;
use crate::output::{harmless, is_watched, number, print_line, say};
use crate::screen::Screen;
use crate::watch::{self, LOOK_EVERY};

/// So much of a name is shown on a terminal.
const LONGEST_NAME: usize = 40;

/// Options of `enqueue status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// A batch's id, the beginning of it, or its name [default: all batches]
    #[arg(value_name = "BATCH")]
    pub batch: Option<String>,

    /// Print an array of objects: the columns of the view batch_status, and held_up_by
    #[arg(long)]
    pub json: bool,

    /// Look again every second, until Ctrl-C; on a terminal with bars, speed and the time that is left
    #[arg(long)]
    pub watch: bool,
}

/// A column of the table: its name, and where its number is.
type Column = (&'static str, fn(&BatchStatus) -> i64);

/// A batch and what holds it up.
#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    status: BatchStatus,
    held_up_by: Vec<String>,
}

/// `enqueue status`.
pub async fn status(store: &Store, args: &StatusArgs) -> Result<(), Failure> {
    let batch = match &args.batch {
        Some(text) => Some(store.find_batch(text).await?),
        None => None,
    };
    if args.watch && !args.json && is_watched() {
        return watch::watch(store, batch.as_ref()).await;
    }
    print(&read(store, batch.as_ref()).await?, args)?;
    if !args.watch {
        return Ok(());
    }
    let mut look = tokio::time::interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
    loop {
        tokio::select! {
            _ = look.tick() => {}
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
        let shown = read(store, batch.as_ref()).await?;
        if !args.json {
            if shown.is_empty() {
                continue;
            }
            print_line("")?;
        }
        print(&shown, args)?;
    }
}

async fn read(store: &Store, batch: Option<&BatchRef>) -> Result<Vec<Shown>, Failure> {
    let statuses = store.batch_status(batch).await?;
    let mut holds: BTreeMap<String, Vec<String>> = store.held_up_by().await?;
    Ok(statuses
        .into_iter()
        .map(|status| {
            let held_up_by = holds.remove(&status.batch_id).unwrap_or_default();
            Shown { status, held_up_by }
        })
        .collect())
}

fn print(shown: &[Shown], args: &StatusArgs) -> Result<(), Failure> {
    let text = if args.json {
        serde_json::to_string(shown)
            .map_err(|error| Failure::Failed(format!("the status can't be written: {error}")))?
    } else if shown.is_empty() {
        say("There is no batch yet; enqueue submit FILE makes one.");
        return Ok(());
    } else {
        table(shown)
    };
    Ok(print_line(&text)?)
}

/// States are columns only where some batch has rows in them; nobody reads a table of zeros.
fn table(shown: &[Shown]) -> String {
    let states: [Column; 10] = [
        ("queued", |s| s.queued),
        ("sending", |s| s.sending),
        ("awaiting", |s| s.awaiting),
        ("retrying", |s| s.retrying),
        ("held", |s| s.held),
        ("found", |s| s.found),
        ("not_found", |s| s.not_found),
        ("failed", |s| s.failed),
        ("expired", |s| s.expired),
        ("cancelled", |s| s.cancelled),
    ];
    let states: Vec<_> = states
        .into_iter()
        .filter(|(name, of)| *name == "found" || shown.iter().any(|s| of(&s.status) != 0))
        .collect();
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let names = states.iter().map(|(name, _)| *name);
    let right = ["total", "done"].into_iter().chain(names).chain(["reserved", "spent"]);
    let header = ["batch", "name", "created"].into_iter().map(Cell::new);
    table.set_header(
        header.chain(right.map(|name| Cell::new(name).set_alignment(CellAlignment::Right))),
    );
    for Shown { status, .. } in shown {
        let done = status.finished() * 100 / status.total.max(1);
        let numbers = states.iter().map(|(_, of)| number(of(status)));
        let right = [number(status.total), format!("{done}%")]
            .into_iter()
            .chain(numbers)
            .chain([number(status.credits_reserved), number(status.credits_spent)]);
        let left = [
            status.batch_id.clone(),
            shown_name(status.name.as_deref().unwrap_or("")),
            status.created_at.chars().take(19).collect::<String>().replace('T', " "),
        ];
        let right = right.map(|text| Cell::new(text).set_alignment(CellAlignment::Right));
        table.add_row(left.into_iter().map(Cell::new).chain(right));
    }
    let mut text = table.trim_fmt();
    if is_watched() {
        // Lines around cells help where there is room for them; wrapped ones are a mess.
        table.load_style(presets::UTF8_FULL_CONDENSED);
        let framed = table.trim_fmt();
        let fits = framed.lines().all(|line| measure_text_width(line) <= Screen::now().width);
        text = if fits { framed } else { text };
    }
    for Shown { status, held_up_by } in shown {
        for line in held_up_by {
            text.push_str(&format!("\n{}: {line}", status.batch_id));
        }
    }
    text
}

/// A name of a whole sentence would push everything else off a terminal; what reads a pipe gets all of it.
fn shown_name(name: &str) -> String {
    let name = harmless(name);
    if is_watched() {
        truncate_str(&name, LONGEST_NAME, "…").into_owned()
    } else {
        name.into_owned()
    }
}
