//! Loads as many rows at once as possible without making another process wait.

use std::time::{Duration, Instant};

use db::{Conn, Durability};
use jobs::Timestamp;

use crate::batches::Batches;
use crate::batches::loading::{Loaded, Loading};
use crate::batches::submit::chunk_size::ChunkSize;
use crate::batches::submit::load::load_chunk;
use crate::error::Result;
use crate::people::new_row::NewRow;

/// How long a transaction on SQLite takes in more chunks. Pages that the chunks share are written once. A process that
/// begins to wait just after the check for waiting processes waits until all chunks are committed.
const TRANSACTION_TIME: Duration = Duration::from_millis(60);

impl Batches<'_> {
    /// Returns the size with which [`Batches::load_chunks`] begins.
    #[must_use]
    pub fn chunk_size(self) -> ChunkSize {
        ChunkSize::of(self.store.is_postgres())
    }

    /// Puts as many of the first rows into the batch as fit into one short transaction, and returns the remaining rows. The
    /// rows become durable with [`Batches::publish`], as with [`Batches::load`].
    ///
    /// # Errors
    /// The database can't be used, or the batch was swept as abandoned.
    pub async fn load_chunks<R>(
        self,
        batch: &Loading,
        mut rows: R,
        chunk_size: &mut ChunkSize,
    ) -> Result<(Loaded, R)>
    where
        R: Iterator<Item = NewRow> + Send + 'static,
    {
        if self.store.is_postgres() {
            let started = Instant::now();
            let chunk: Vec<NewRow> = rows.by_ref().take(chunk_size.rows()).collect();
            let size = chunk.len();
            let loaded = self.load(batch, chunk).await?;
            chunk_size.note(size, started.elapsed());
            return Ok((loaded, rows));
        }
        let (batch, before, now) = (batch.clone(), *chunk_size, self.store.now());
        let done = self.store.db.write_with(Durability::WithTheNext, move |conn| {
            Box::pin(async move {
                load_in_turn(conn, &batch, rows, before, TRANSACTION_TIME, now).await
            })
        });
        let (loaded, rows, after) = done.await?;
        *chunk_size = after;
        Ok((loaded, rows))
    }
}

/// Loads chunk after chunk until `time` has passed or another process waits for the database.
async fn load_in_turn<R>(
    conn: &mut Conn,
    batch: &Loading,
    mut rows: R,
    mut chunk_size: ChunkSize,
    time: Duration,
    now: Timestamp,
) -> Result<(Loaded, R, ChunkSize)>
where
    R: Iterator<Item = NewRow> + Send,
{
    let begun = Instant::now();
    let mut loaded = Loaded::default();
    loop {
        let started = Instant::now();
        let chunk: Vec<NewRow> = rows.by_ref().take(chunk_size.rows()).collect();
        let size = chunk.len();
        loaded.add(load_chunk(conn, batch, chunk, now, None).await?);
        let is_last = size < chunk_size.rows();
        chunk_size.note(size, started.elapsed());
        if is_last || begun.elapsed() > time || conn.is_waited_for() {
            return Ok((loaded, rows, chunk_size));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jobs::{Clock, Provider};

    use super::*;
    use crate::batches::loading::NewBatch;
    use crate::people::new_row::NewStep;
    use crate::store::Store;
    use db::WriteLock;

    fn ten_rows() -> impl Iterator<Item = NewRow> + Send {
        (1..=10).map(|number| NewRow {
            number,
            fields: "[]".into(),
            identifiers: [format!("ocean:o{number}").into()].into(),
            steps: [NewStep { provider: Provider::Ocean, asks_by: Some(0) }].into_iter().collect(),
            erased: false,
        })
    }

    /// Returns how many rows one transaction takes if its first chunk has two rows and it may go on for `time`.
    async fn taken(database: &Path, time: Duration, another_waits: bool) -> i64 {
        let url = format!("sqlite://{}", database.display());
        let store = Store::connect(&url, true, Clock::manual(Timestamp(0))).await.unwrap();
        let batch = NewBatch {
            name: None,
            header: None,
            priority: 0,
            max_credits: Default::default(),
            refresh_before: None,
            wants_mobile: false,
        };
        let batch = store.batches().begin_batch(batch).await.unwrap();
        let mut other = WriteLock::of(database);
        let turn = if another_waits { other.wait() } else { None };
        assert_eq!(turn.is_some(), another_waits);
        let load = store.db.write(move |conn| {
            Box::pin(async move {
                let chunk_size = ChunkSize::beginning_with(2);
                load_in_turn(conn, &batch, ten_rows(), chunk_size, time, Timestamp(0)).await
            })
        });
        let (loaded, rest, _) = load.await.unwrap();
        assert_eq!(loaded.rows + rest.count() as i64, 10);
        loaded.rows
    }

    #[tokio::test]
    async fn it_goes_on_while_no_writer_waits_and_there_is_time() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(taken(&dir.path().join("a.db"), Duration::MAX, false).await, 10);
        assert_eq!(taken(&dir.path().join("b.db"), Duration::ZERO, false).await, 2);
    }

    #[tokio::test]
    async fn another_process_that_waits_is_made_way_for() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(taken(&dir.path().join("a.db"), Duration::MAX, true).await, 2);
    }
}
