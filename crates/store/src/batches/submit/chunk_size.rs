//! How many rows are looked up and written together, so that others wait only briefly.

use std::ops::RangeInclusive;
use std::time::Duration;

/// How long a chunk is to take on SQLite: a worker that waits for the database must not notice.
const CHUNK_TIME: Duration = Duration::from_millis(10);

/// The same on Postgres, where a worker waits only for what it shares with the rows.
const POSTGRES_CHUNK_TIME: Duration = Duration::from_millis(40);

/// How many rows the first chunk has. Small inputs are one chunk, however busy the machine: where several
/// rows show that people are one, what a submit comes to depends on the rows it sees together.
const FIRST_CHUNK: usize = 1_000;

/// How few or many rows a chunk has.
const CHUNK_ROWS: RangeInclusive<usize> = 200..=10_000;

/// How many rows make a chunk, adapted to the time that they take.
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

    /// How many rows the next chunk has.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.chunk
    }

    /// Notes how long so many rows took. The next chunk is at most twice or half as large, so that one slow disk
    /// access doesn't decide.
    pub(crate) fn note(&mut self, rows: usize, took: Duration) {
        // What is left of a run says little.
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
