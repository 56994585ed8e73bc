//! The number of rows that are looked up and written together, so that other processes wait only briefly.

use std::ops::RangeInclusive;
use std::time::Duration;

/// The target time of a chunk on SQLite. A worker that waits for the database must not notice.
const CHUNK_TIME: Duration = Duration::from_millis(10);

/// The target time on Postgres, where a worker waits only for the data that it shares with the rows.
const POSTGRES_CHUNK_TIME: Duration = Duration::from_millis(40);

/// Rows in the first chunk. Small inputs are one chunk, however busy the machine is: where several rows show that people
/// are one, the result of a submit depends on the rows that it sees together.
const FIRST_CHUNK: usize = 1_000;

/// The fewest and the most rows of a chunk.
const CHUNK_ROWS: RangeInclusive<usize> = 200..=10_000;

/// The number of rows in a chunk, adapted to the time that they take.
#[derive(Debug, Clone, Copy)]
pub struct ChunkSize {
    chunk: usize,
    aim: Duration,
}

impl ChunkSize {
    pub(crate) fn of(is_postgres: bool) -> Self {
        ChunkSize {
            chunk: FIRST_CHUNK,
            aim: if is_postgres { POSTGRES_CHUNK_TIME } else { CHUNK_TIME },
        }
    }

    #[cfg(test)]
    pub(super) fn beginning_with(chunk: usize) -> Self {
        ChunkSize { chunk, aim: CHUNK_TIME }
    }

    /// Returns how many rows the next chunk has.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.chunk
    }

    /// Notes how long this many rows took. The size of the next chunk is between half and twice as large, so that one slow
    /// disk access doesn't decide it.
    pub(crate) fn note(&mut self, rows: usize, took: Duration) {
        // A last, smaller chunk says little about the time that a full chunk takes.
        if rows < self.chunk {
            return;
        }
        let ratio = self.aim.as_secs_f64() / took.as_secs_f64().max(0.000_1);
        let chunk = (rows as f64 * ratio.clamp(0.5, 2.0)).round() as usize;
        self.chunk = chunk.clamp(*CHUNK_ROWS.start(), *CHUNK_ROWS.end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(chunk: usize, rows: usize, took: Duration) -> usize {
        let mut chunk_size = ChunkSize { chunk, aim: CHUNK_TIME };
        chunk_size.note(rows, took);
        chunk_size.rows()
    }

    #[test]
    fn chunks_grow_and_shrink_towards_their_time() {
        assert_eq!(after(500, 500, CHUNK_TIME), 500);
        assert_eq!(after(500, 500, CHUNK_TIME / 4), 1_000);
        assert_eq!(after(1_000, 1_000, CHUNK_TIME * 2), 500);
        assert_eq!(after(500, 500, CHUNK_TIME * 20), 250);
        assert_eq!(after(220, 220, CHUNK_TIME * 20), 200);
        assert_eq!(after(9_000, 9_000, Duration::ZERO), 10_000);
        assert_eq!(after(1_000, 10, Duration::ZERO), 1_000);
    }
}
