use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use store::{ChunkSize, Loaded, Loading, Preview, Store};

use super::row_buffer::RowBuffer;
use super::row_stream::RowStream;
use crate::failure::Failure;
use crate::output::{draws_progress, number};

/// The gap in which the SQLite lock is free for programs that don't use the write lock. Programs that use the store
/// use it.
const GAP: Duration = Duration::from_millis(1);
/// How often a submit that waits for its input gives a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(60);

/// Where rows go.
pub enum Sink {
    /// Into a batch that is hidden until it is published.
    Batch(Loading),
    /// Nowhere: the outcome is only counted.
    Preview(Box<Preview>),
    /// Nowhere: there is a batch under this key already, so only the fingerprint matters.
    Nowhere,
}

/// Loads all rows of a stream. Returns their counts. Ends early, with the rows so far, if the stream does.
pub async fn load(
    store: &Store,
    sink: &mut Sink,
    stream: &mut RowStream,
) -> Result<Loaded, Failure> {
    let progress = Progress::new();
    let mut loaded = Loaded::default();
    let mut chunk_size = store.batches().chunk_size();
    while let Some(mut rows) = next_run(store, sink, stream).await? {
        let rejected = rows.take_rejected();
        if let Sink::Batch(loading) = sink {
            store.batches().load_rejected(loading, rejected).await?;
        }
        while rows.len() > 0 {
            let taken;
            (taken, rows) = take(store, sink, rows, &mut chunk_size).await?;
            loaded.add(taken);
            progress.show(&loaded);
            if !store.is_postgres() && matches!(sink, Sink::Batch(_)) {
                tokio::time::sleep(GAP).await;
            }
        }
    }
    Ok(loaded)
}

/// Returns the next run. The program that writes the input may be slow: an empty load now and then keeps the batch
/// from being considered abandoned.
async fn next_run(
    store: &Store,
    sink: &Sink,
    stream: &mut RowStream,
) -> Result<Option<RowBuffer>, Failure> {
    loop {
        match tokio::time::timeout(SIGN_OF_LIFE, stream.runs.recv()).await {
            Ok(run) => return Ok(run),
            Err(_) => {
                if let Sink::Batch(loading) = sink {
                    store.batches().load(loading, Vec::new()).await?;
                }
            }
        }
    }
}

/// Loads some of the rows. Returns their counts, and the other rows.
async fn take(
    store: &Store,
    sink: &mut Sink,
    mut rows: RowBuffer,
    chunk_size: &mut ChunkSize,
) -> Result<(Loaded, RowBuffer), Failure> {
    Ok(match sink {
        Sink::Batch(loading) => store.batches().load_chunks(loading, rows, chunk_size).await?,
        Sink::Preview(preview) => {
            let chunk = rows.by_ref().take(chunk_size.rows()).collect();
            (store.batches().preview(preview, chunk).await?, rows)
        }
        Sink::Nowhere => (Loaded::default(), RowBuffer::default()),
    })
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
