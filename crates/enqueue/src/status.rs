use std::collections::BTreeMap;

use clap::Args;
use console::truncate_str;
use jobs::Provider;
use serde::Serialize;
use store::{BatchRef, BatchStatus, ProviderCredits, Store};
use tokio::time::Instant;

use crate::failure::Failure;
use crate::output::{count, is_watched, number, print_line, say};
use crate::screen::{Look, Screen, wrapped};
use crate::signals::stopped;
use crate::watch::{self, LOOK_EVERY};
use jobs::words::harmless;

/// How many columns of a name are shown.
const LONGEST_NAME: usize = 40;

/// Options of `enqueue status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// A batch's id, the start of its id, or its name [default: all batches]
    #[arg(value_name = "BATCH")]
    pub batch: Option<String>,

    /// Print a JSON array of objects: the columns of the view batch_status, credits by provider, and held_up_by
    #[arg(long)]
    pub json: bool,

    /// Refresh every second until Ctrl-C. A terminal also shows bars, speed and the remaining time
    #[arg(long)]
    pub watch: bool,
}

/// A batch and what holds it up.
#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    status: BatchStatus,
    /// By provider: they are different currencies.
    credits: BTreeMap<Provider, ProviderCredits>,
    held_up_by: Vec<String>,
}

/// `enqueue status`. Returns whether there was anything to show.
pub async fn status(store: &Store, args: &StatusArgs) -> Result<bool, Failure> {
    let batch = match &args.batch {
        Some(text) => Some(store.reports().find_batch(text).await?),
        None => None,
    };
    if args.watch && !args.json && is_watched() {
        watch::watch(store, batch.as_ref()).await?;
        return Ok(true);
    }
    let shown = read(store, batch.as_ref()).await?;
    print(&shown, store.place(), args)?;
    if !args.watch {
        return Ok(!shown.is_empty());
    }
    let mut look = tokio::time::interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
    loop {
        tokio::select! {
            _ = look.tick() => {}
            _ = stopped() => return Ok(true),
        }
        let shown = read(store, batch.as_ref()).await?;
        if !args.json {
            if shown.is_empty() {
                continue;
            }
            print_line("")?;
        }
        print(&shown, store.place(), args)?;
    }
}

/// Shows the status of a database that does not exist.
pub fn nothing(place: &str, args: &StatusArgs) -> Result<(), Failure> {
    print(&[], place, args)
}

async fn read(store: &Store, batch: Option<&BatchRef>) -> Result<Vec<Shown>, Failure> {
    let statuses = store.reports().batch_status(batch).await?;
    let mut credits = store.reports().credits_by_provider(batch).await?;
    let mut holds: BTreeMap<String, Vec<String>> = store.reports().blocked_by().await?;
    Ok(statuses
        .into_iter()
        .map(|status| {
            let held_up_by = holds.remove(&status.batch_id).unwrap_or_default();
            let credits = credits.remove(&status.batch_id).unwrap_or_default();
            Shown { status, credits, held_up_by }
        })
        .collect())
}

fn print(shown: &[Shown], place: &str, args: &StatusArgs) -> Result<(), Failure> {
    let text = if args.json {
        serde_json::to_string(shown)
            .map_err(|error| Failure::Failed(format!("the status can't be written: {error}")))?
    } else if shown.is_empty() {
        say(&format!("There is no batch yet in {place}; enqueue submit FILE makes one."));
        return Ok(());
    } else {
        text(shown)
    };
    Ok(print_line(&text)?)
}

/// The width of an output that is no terminal: scripts look for whole lines.
const UNBOUNDED: usize = usize::MAX;

/// The width by which names are cut: no output shows more of a name than a usual terminal does.
const USUAL_WIDTH: usize = 80;

fn text(shown: &[Shown]) -> String {
    let width = if is_watched() { Screen::now().width } else { UNBOUNDED };
    let blocks: Vec<String> = shown.iter().map(|one| block(one, width)).collect();
    blocks.join("\n\n")
}

/// A batch in lines that fit. A state is named only if rows are in it.
fn block(shown: &Shown, width: usize) -> String {
    let status = &shown.status;
    let created = status.created_at.chars().take(16).collect::<String>().replace('T', " ");
    let name = harmless(status.name.as_deref().unwrap_or(""));
    let room = width.min(USUAL_WIDTH);
    let room = room.saturating_sub(status.batch_id.len() + created.len() + 4).min(LONGEST_NAME);
    let first = [status.batch_id.as_str(), &truncate_str(&name, room, "…"), &created];
    let first: Vec<&str> = first.into_iter().filter(|part| !part.is_empty()).collect();
    let states: [(&str, i64); 10] = [
        ("queued", status.queued),
        ("sending", status.sending),
        ("awaiting", status.awaiting),
        ("retrying", status.retrying),
        ("held", status.held),
        ("found", status.found),
        ("not_found", status.not_found),
        ("failed", status.failed),
        ("expired", status.expired),
        ("cancelled", status.cancelled),
    ];
    let states = states.into_iter().filter(|(state, n)| *n != 0 || *state == "found");
    let states: Vec<String> = states.map(|(state, n)| format!("{} {state}", number(n))).collect();
    let done = status.finished() * 100 / status.total.max(1);
    let rows = format!("{}, {done}% done: {}", count(status.total, "row"), states.join(", "));
    let credits = shown.credits.iter().map(|(provider, at)| {
        let spent = format!("{provider}: {} spent", at.spent.counted());
        let lookup = (!at.lookup.is_zero()).then(|| format!(" (lookup {})", at.lookup.grouped()));
        let spent = spent + &lookup.unwrap_or_default();
        let reserved = format!(", {} reserved", at.reserved.grouped());
        let ceiling = at.max.map(|most| format!(", ceiling {}", most.grouped()));
        format!("{spent}{reserved}{}", ceiling.unwrap_or_default())
    });
    let holds = shown.held_up_by.iter().map(|line| format!("{}: {line}", status.batch_id));
    let lines = std::iter::once(rows).chain(credits).chain(holds);
    let lines = lines.flat_map(|line| wrapped(Look::Plain, &line, width.saturating_sub(2)));
    let lines = lines.map(|line| format!("\n  {}", line.text(width, false)));
    first.join("  ") + &lines.collect::<String>()
}

#[cfg(test)]
mod tests {
    use console::measure_text_width;

    use super::*;

    fn shown(name: &str) -> Shown {
        let status = BatchStatus {
            batch_id: "01M7ZXRJB7SGTAS0RV1MWN69S2".to_owned(),
            name: Some(name.to_owned()),
            created_at: "2026-11-21T20:50:13.362Z".to_owned(),
            finished_at: None,
            total: 1_000_000,
            queued: 500_000,
            sending: 500,
            awaiting: 9_500,
            retrying: 10_000,
            held: 80_000,
            found: 200_000,
            not_found: 100_000,
            failed: 50_000,
            expired: 25_000,
            cancelled: 25_000,
            credits_reserved: jobs::Credits::whole(10_000),
            credits_spent: jobs::Credits::whole(240_000),
        };
        let why = "ocean: 80,000 rows held: the account has too few credits; it goes on by itself";
        let at = ProviderCredits {
            spent: status.credits_spent,
            lookup: jobs::Credits::from_thousandths(50),
            reserved: status.credits_reserved,
            max: Some(jobs::Credits::whole(1_000_000)),
        };
        let credits = BTreeMap::from([(Provider::Ocean, at), (Provider::Clodura, at)]);
        Shown { status, credits, held_up_by: vec![why.to_owned()] }
    }

    #[test]
    fn a_batch_fits_the_terminal() {
        for width in [60, 80, 132] {
            for name in ["", "Spring", &"long name ".repeat(200), "東京".repeat(40).as_str()] {
                let text = block(&shown(name), width);
                let widest = text.lines().map(measure_text_width).max().unwrap_or(0);
                assert!(widest <= width, "{widest} of {width}:\n{text}");
                assert!(
                    text.contains("01M7ZXRJB7SGTAS0RV1MWN69S2") && text.contains("500,000 queued")
                );
            }
        }
    }
}
