use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use store::{Loaded, Loading, NewRow, Preview, Store};

use super::feed::Feed;
use crate::failure::Failure;
use crate::output::{draws_progress, number};

/// How long one transaction is to take: a worker that waits for it must not notice.
const CHUNK_TIME: Duration = Duration::from_millis(10);
/// The same on Postgres, where a worker waits only for what it shares with the rows.
const POSTGRES_CHUNK_TIME: Duration = Duration::from_millis(40);
/// How many rows the first chunk has. Small inputs are one chunk, however busy the machine: where several
/// rows show that people are one, what a submit comes to depends on the rows it sees together.
const FIRST_CHUNK: usize = 1_000;
/// How few or many rows a chunk has.
const CHUNK_ROWS: std::ops::RangeInclusive<usize> = 200..=10_000;
/// The gap in which SQLite's lock is free for programs that take no turns for it. The store has the
/// rest take turns.
const GAP: Duration = Duration::from_millis(1);
/// How often a submit that waits for its input says that it is alive.
const SIGN_OF_LIFE: Duration = Duration::from_secs(60);

/// Where rows go.
pub enum Sink {
    /// Into a batch that nobody sees yet.
    Batch(Loading),
    /// Nowhere: what would come of them is counted.
    Preview(Box<Preview>),
    /// Nowhere: a batch under this key is there already, so only the fingerprint matters.
    Nowhere,
}

/// Takes all rows of a feed; what they came to. Ends early, with what there is, when the feed does.
pub async fn load(store: &Store, sink: &mut Sink, feed: &mut Feed) -> Result<Loaded, Failure> {
    let progress = Progress::new();
    let mut loaded = Loaded::default();
    let chunk_time = if store.is_postgres() { POSTGRES_CHUNK_TIME } else { CHUNK_TIME };
    let mut size = FIRST_CHUNK;
    while let Some(run) = next_run(store, sink, feed).await? {
        let mut rows = run.into_iter();
        while rows.len() > 0 {
            let chunk: Vec<NewRow> = rows.by_ref().take(size).collect();
            let taken = chunk.len();
            let started = Instant::now();
            loaded.add(take(store, sink, chunk).await?);
            // What is left of a run says little.
            if taken == size {
                size = next_size(taken, started.elapsed(), chunk_time);
            }
            progress.show(&loaded);
            if !store.is_postgres() && matches!(sink, Sink::Batch(_)) {
                tokio::time::sleep(GAP).await;
            }
        }
    }
    Ok(loaded)
}

/// What is read next. Whoever writes the input may be slow: the batch must not be taken for abandoned.
async fn next_run(
    store: &Store,
    sink: &Sink,
    feed: &mut Feed,
) -> Result<Option<Vec<NewRow>>, Failure> {
    loop {
        match tokio::time::timeout(SIGN_OF_LIFE, feed.runs.recv()).await {
            Ok(run) => return Ok(run),
            Err(_) => {
                if let Sink::Batch(loading) = sink {
                    store.load(loading, Vec::new()).await?;
                }
            }
        }
    }
}

async fn take(store: &Store, sink: &mut Sink, chunk: Vec<NewRow>) -> Result<Loaded, Failure> {
    Ok(match sink {
        Sink::Batch(loading) => store.load(loading, chunk).await?,
        Sink::Preview(preview) => store.preview(preview, chunk).await?,
        Sink::Nowhere => Loaded::default(),
    })
}

/// The next chunk's size, by how long one of `rows` took; at most twice or half as large, so that one
/// slow disk access doesn't decide.
fn next_size(rows: usize, took: Duration, aim: Duration) -> usize {
    let ratio = aim.as_secs_f64() / took.as_secs_f64().max(0.000_1);
    let size = (rows as f64 * ratio.clamp(0.5, 2.0)).round() as usize;
    size.clamp(*CHUNK_ROWS.start(), *CHUNK_ROWS.end())
}

/// Rows so far, on a terminal.
struct Progress(ProgressBar);

impl Progress {
    fn new() -> Self {
        let target = if draws_progress() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        Progress(bar)
    }

    fn show(&self, loaded: &Loaded) {
        self.0.set_message(format!("{} rows read", number(loaded.rows)));
        self.0.tick();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_grow_and_shrink_towards_their_time() {
        assert_eq!(next_size(500, CHUNK_TIME, CHUNK_TIME), 500);
        assert_eq!(next_size(500, CHUNK_TIME / 4, CHUNK_TIME), 1_000);
        assert_eq!(next_size(1_000, CHUNK_TIME * 2, CHUNK_TIME), 500);
        assert_eq!(next_size(500, CHUNK_TIME * 20, CHUNK_TIME), 250);
        assert_eq!(next_size(220, CHUNK_TIME * 20, CHUNK_TIME), 200);
        assert_eq!(next_size(9_000, Duration::ZERO, CHUNK_TIME), 10_000);
    }
}
