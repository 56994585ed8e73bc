//! `enqueue status --watch` on a terminal: the running batches, with bars, speed and time left, redrawn every second.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use jobs::Provider;
use store::{BatchOverview, BatchRef, Overview, Store};

use crate::failure::Failure;
use crate::output::{count, number};
use crate::progress_view::{self, Pace};
use crate::screen::{Line, Look, Screen};
use crate::signals::stopped;
use crate::speed::Speed;

/// How often the screen is redrawn.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);
/// More batches than any terminal has lines for.
const MOST_BATCHES: usize = 100;

/// How fast each batch gets on at each provider.
type Speeds = HashMap<(String, Provider), Speed>;

/// The state of everything at one look.
struct Seen {
    overview: Overview,
    batches: Vec<BatchOverview>,
    held: BTreeMap<String, Vec<String>>,
}

/// Draws until Ctrl-C.
pub async fn watch(store: &Store, batch: Option<&BatchRef>) -> Result<(), Failure> {
    let mut speeds = Speeds::new();
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            _ = look.tick() => {}
            _ = stopped() => return Ok(()),
        }
        let seen = read(store, batch).await?;
        let paces = note(&mut speeds, &seen.batches);
        let screen = Screen::now();
        screen.draw(&lines(&seen, &paces, batch.is_some(), &screen))?;
    }
}

async fn read(store: &Store, batch: Option<&BatchRef>) -> Result<Seen, Failure> {
    let mut overview = store.reports().overview(MOST_BATCHES).await?;
    let batches = match batch {
        None => std::mem::take(&mut overview.batches),
        Some(batch) => match store.reports().batch_overview(batch).await? {
            Some(found) => vec![found],
            None => {
                let gone = format!("batch {} is gone: it was purged", batch.batch_id);
                return Err(Failure::Failed(gone));
            }
        },
    };
    Ok(Seen { overview, batches, held: store.reports().blocked_by().await? })
}

fn note(speeds: &mut Speeds, batches: &[BatchOverview]) -> HashMap<String, Pace> {
    let now = Instant::now();
    let mut paces: HashMap<String, Pace> = HashMap::new();
    for batch in batches.iter().filter(|batch| batch.finished_at.is_none()) {
        for at in &batch.providers {
            let speed = speeds.entry((batch.batch_id.clone(), at.provider)).or_default();
            if let Some(speed) = speed.note(now, at.counts.finished()) {
                paces.entry(batch.batch_id.clone()).or_default().insert(at.provider, speed);
            }
        }
    }
    paces
}

/// The whole screen: the state of the providers, then as many batches as there is room for, running ones first.
fn lines(seen: &Seen, paces: &HashMap<String, Pace>, alone: bool, screen: &Screen) -> Vec<Line> {
    let overview = &seen.overview;
    let mut lines = vec![heading(overview), Line::default()];
    lines.extend(overview.providers.iter().map(progress_view::provider));
    if seen.batches.is_empty() {
        let hint = "There is no batch yet; enqueue submit FILE makes one.";
        lines.extend([Line::default(), Line::of(Look::Plain, hint)]);
    }
    let (running, ended): (Vec<_>, Vec<_>) =
        seen.batches.iter().partition(|batch| alone || batch.finished_at.is_none());
    // The last line is the cursor's, and one line says how many batches are left out.
    let room = screen.height.saturating_sub(2);
    let mut shown = 0;
    let (none, no_pace) = (Vec::new(), Pace::new());
    for batch in running {
        let held = seen.held.get(&batch.batch_id).unwrap_or(&none);
        let pace = paces.get(&batch.batch_id).unwrap_or(&no_pace);
        let block = progress_view::block(batch, held, pace, overview.at, screen);
        if shown > 0 && lines.len() + 1 + block.len() > room {
            break;
        }
        lines.push(Line::default());
        lines.extend(block);
        shown += 1;
    }
    for (place, batch) in ended.into_iter().enumerate() {
        let spaced = usize::from(place == 0);
        if lines.len() + spaced + 1 > room {
            break;
        }
        lines.extend((0..spaced).map(|_| Line::default()));
        lines.push(progress_view::finished(batch, overview.at));
        shown += 1;
    }
    let left_out = if alone { 0 } else { overview.batch_count - shown };
    if left_out > 0 {
        let text = format!("… and {} more: enqueue status lists them all", number(left_out));
        lines.push(Line::of(Look::Dim, text));
    }
    lines
}

fn heading(overview: &Overview) -> Line {
    let seconds = overview.at.millis().div_euclid(1000).rem_euclid(86_400);
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let sandbox = if overview.stamp == "sandbox" { "  sandbox" } else { "" };
    let batches = format!(
        "{} of {} running",
        number(overview.open_batches),
        count(overview.batch_count, "batch")
    );
    Line::of(Look::Bold, batches)
        .and(Look::Warn, sandbox)
        .and(Look::Dim, format!("  {clock} UTC  (Ctrl-C leaves; the work goes on)"))
}
