use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use store::{BatchRef, BatchStatus, Store};

use crate::failure::Failure;
use crate::output::{count, draws_progress, number, say};
use crate::signals::stopped;
use crate::speed::{Speed, rows_a_second};

/// How often the batch's progress is read.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often a line is written where nothing can be redrawn.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// How often the causes that hold the batch up are read, which takes longer.
const HOLDS_EVERY: Duration = Duration::from_secs(2);

/// Shows how a batch gets on, until it is finished. Ctrl-C leaves it in place.
pub async fn until_finished(store: &Store, batch: &BatchRef) -> Result<(), Failure> {
    tokio::select! {
        ended = watch(store, batch) => ended,
        stop = stopped() => Err(Failure::Interrupted(format!(
            "no longer waiting; the batch goes on: enqueue status {} --watch", batch.batch_id
        ), stop)),
    }
}

async fn watch(store: &Store, batch: &BatchRef) -> Result<(), Failure> {
    let mut view = View::new();
    let mut speed = Speed::default();
    let mut look = tokio::time::interval(LOOK_EVERY);
    let mut holds = Vec::new();
    let mut holds_at: Option<Instant> = None;
    loop {
        look.tick().await;
        let Some(status) = store.reports().batch_status(Some(batch)).await?.pop() else {
            return Err(Failure::Failed(format!(
                "batch {} is gone: it was purged",
                batch.batch_id
            )));
        };
        if status.finished_at.is_some() {
            view.end(&status);
            return Ok(());
        }
        if holds_at.is_none_or(|at| at.elapsed() >= HOLDS_EVERY) {
            let all = store.reports().blocked_by().await?;
            holds = all.get(&status.batch_id).cloned().unwrap_or_default();
            holds_at = Some(Instant::now());
        }
        view.show(&status, speed.note(Instant::now(), status.finished()), &holds);
    }
}

/// The view: a bar that is redrawn, or lines now and then.
enum View {
    Bar(ProgressBar),
    Lines { said_at: Option<Instant>, holds: Vec<String> },
}

impl View {
    fn new() -> Self {
        if !draws_progress() {
            return View::Lines { said_at: None, holds: Vec::new() };
        }
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len}\n{msg}") {
            bar.set_style(style);
        }
        View::Bar(bar)
    }

    fn show(&mut self, status: &BatchStatus, speed: Option<f64>, holds: &[String]) {
        let text = progress(status, speed);
        match self {
            View::Bar(bar) => {
                bar.set_length(status.total.unsigned_abs());
                bar.set_position(status.finished().unsigned_abs());
                let lines: Vec<&str> = std::iter::once(text.as_str())
                    .chain(holds.iter().map(String::as_str))
                    .collect();
                bar.set_message(lines.join("\n"));
            }
            View::Lines { said_at, holds: said } => {
                let due = said_at.is_none_or(|at| at.elapsed() >= LINE_EVERY);
                if due {
                    say(&format!(
                        "{} of {}: {text}",
                        number(status.finished()),
                        count(status.total, "row")
                    ));
                    *said_at = Some(Instant::now());
                }
                // The causes that hold the batch up are printed when they change, not every time.
                if due && said.as_slice() != holds {
                    holds.iter().for_each(|line| say(line));
                    *said = holds.to_vec();
                }
            }
        }
    }

    fn end(&self, status: &BatchStatus) {
        if let View::Bar(bar) = self {
            bar.finish_and_clear();
        }
        say(&format!("Finished: {}: {}", count(status.total, "row"), progress(status, None)));
    }
}

/// The states that rows are in, the most important first.
fn progress(status: &BatchStatus, speed: Option<f64>) -> String {
    let states = [
        (status.found, "found"),
        (status.not_found, "not found"),
        (status.failed, "failed"),
        (status.expired, "expired"),
        (status.cancelled, "cancelled"),
        (status.awaiting + status.sending, "out"),
        (status.retrying, "to be tried again"),
        (status.held, "held"),
        (status.queued, "queued"),
    ];
    let mut parts: Vec<String> = states
        .iter()
        .filter(|(n, state)| *n > 0 || *state == "found")
        .map(|(n, state)| format!("{} {state}", number(*n)))
        .collect();
    if let Some(speed) = speed.filter(|speed| *speed > 0.0) {
        parts.push(rows_a_second(speed));
    }
    parts.join(", ")
}
