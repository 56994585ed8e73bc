//! Writes the result of resolving a chunk: new people, people who are queued now, and reveals to be merged.

use std::sync::Arc;

use db::Conn;
use db::bulk::{ints, same, same_text, shared, words, write_rows};
use jobs::lookup::is_to_be_looked_up;
use jobs::{RevealState, Timestamp};

use crate::error::Result;
use crate::people::resolve::{Known, People};
use crate::reveals::unclaimed_range;

impl People {
    /// Writes the new and the changed reveals of a chunk of `batch`.
    pub(crate) async fn save(self, conn: &mut Conn, batch: i64, now: Timestamp) -> Result<()> {
        self.save_new(conn, batch, now).await?;
        self.wake(conn, now).await?;
        self.save_raised(conn).await?;
        self.save_merges(conn, batch).await
    }

    /// Queues idle reveals.
    async fn wake(&self, conn: &mut Conn, now: Timestamp) -> Result<()> {
        let woken = |known: &&Known| !known.fresh && known.woken;
        let woken: Vec<&Known> = self.reveals.iter().filter(woken).collect();
        let columns = vec![
            ("id", ints(woken.iter().map(|known| known.id))),
            ("owner", ints(woken.iter().map(|known| known.owner))),
            ("now", same(now.0, woken.len())),
        ];
        write_rows(
            conn,
            "UPDATE reveals SET state = 'queued', unclaimed = 0, owner = e.owner, updated_at = e.now FROM ROWS
             WHERE reveals.id = e.id AND state = 'idle'",
            columns,
        )
        .await?;
        Ok(())
    }

    async fn save_new(&self, conn: &mut Conn, batch: i64, now: Timestamp) -> Result<()> {
        let mut fresh: Vec<&Known> = Vec::with_capacity(self.reveals.len());
        fresh.extend(self.reveals.iter().filter(|known| known.fresh));
        // People who are to be looked up are claimed through an index, not as a range.
        let comes = |new: &Known| {
            new.state == RevealState::Queued && !is_to_be_looked_up(self.provider, &new.subject)
        };
        let columns = vec![
            ("id", ints(fresh.iter().map(|known| known.id))),
            ("provider", same_text(self.provider.as_str(), fresh.len())),
            ("subject", shared(fresh.iter().map(|known| Arc::clone(&known.subject)))),
            ("generation", ints(fresh.iter().map(|known| known.generation))),
            ("state", words(fresh.iter().map(|known| Some(known.state.as_str())))),
            ("owner", ints(fresh.iter().map(|known| known.owner))),
            ("unclaimed", ints(fresh.iter().map(|new| i64::from(comes(new))))),
            ("now", same(now.0, fresh.len())),
        ];
        write_rows(
            conn,
            "INSERT INTO reveals (id, provider, subject, generation, state, owner, unclaimed, updated_at)
             SELECT e.id, e.provider, e.subject, e.generation, e.state, e.owner, e.unclaimed, e.now FROM ROWS",
            columns,
        )
        .await?;
        let mut coming = fresh.iter().filter(|new| comes(new)).map(|known| known.id);
        if let Some(first) = coming.next() {
            let last = coming.next_back().unwrap_or(first);
            unclaimed_range::add(conn, batch, self.provider, first, last).await?;
        }
        Ok(())
    }

    /// Notes the reveals that are merged once the batch is published.
    async fn save_merges(&self, conn: &mut Conn, batch: i64) -> Result<()> {
        let columns = vec![
            ("batch", same(batch, self.merges.len())),
            ("loser", ints(self.merges.keys().copied())),
            ("winner", ints(self.merges.values().map(|place| self.id(*place)))),
        ];
        write_rows(
            conn,
            "INSERT INTO batch_merges (batch_id, loser, winner)
             SELECT e.batch, e.loser, e.winner FROM ROWS WHERE TRUE
             ON CONFLICT (batch_id, loser) DO UPDATE SET winner = excluded.winner",
            columns,
        )
        .await?;
        Ok(())
    }

    async fn save_raised(&self, conn: &mut Conn) -> Result<()> {
        let raised: Vec<&Known> = self.raised.iter().map(|place| self.known(*place)).collect();
        let known = || raised.iter().filter(|known| !known.fresh);
        let columns = vec![
            ("id", ints(known().map(|known| known.id))),
            ("generation", ints(known().map(|known| known.generation))),
        ];
        write_rows(
            conn,
            "UPDATE reveals SET generation = e.generation FROM ROWS WHERE reveals.id = e.id",
            columns,
        )
        .await?;
        Ok(())
    }
}
