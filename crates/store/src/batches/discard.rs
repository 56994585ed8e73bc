//! Taking back batches that were not published: refused while they were loading, or left by a submit that died. Rows are
//! deleted in chunks, since a worker must not wait for a million rows.

use std::collections::BTreeSet;
use std::time::Duration;

use db::{Conn, Ints};
use jobs::{Provider, Timestamp};

use crate::batches::Batches;
use crate::batches::loading::Loading;
use crate::batches::row_chunks::{READ_AT_ONCE, in_chunks};
use crate::error::Result;
use crate::gates::gate::Gate;
use crate::people::links::deletion;
use crate::people::resolve::RevealIds;
use crate::reveals::counters::Totals;
use crate::reveals::ownership::assign_owners;
use crate::topic::Topic;

/// How long a loading batch may go without a heartbeat of its submit before it counts as abandoned.
const ABANDONED_AFTER: Duration = Duration::from_secs(15 * 60);

impl Batches<'_> {
    /// Takes back a batch that was not published.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn abandon(self, batch: &Loading) -> Result<()> {
        self.take_back(batch.id, i64::MAX).await
    }

    /// Takes back batches whose submit died, and returns their number.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn sweep_abandoned_batches(self) -> Result<usize> {
        let silent_since = (self.store.now() - ABANDONED_AFTER).0;
        let abandoned: Vec<(i64,)> = {
            let mut conn = self.store.db.read().await?;
            conn.fetch_all(
                "SELECT id FROM batches WHERE published_at IS NULL
                 AND (loader_seen_at < $1 OR cancelled_at < $1)",
                &[&silent_since],
            )
            .await?
        };
        for (id,) in &abandoned {
            self.take_back(*id, silent_since).await?;
        }
        Ok(abandoned.len())
    }

    /// Marks the batch, so that a submit that resumes can't load into a half-deleted batch. Then deletes its rows chunk by
    /// chunk.
    async fn take_back(self, id: i64, silent_since: i64) -> Result<()> {
        let now = self.store.now();
        let marked = self
            .store
            .db
            .write(move |conn| {
                Box::pin(async move {
                    Ok(conn
                        .execute(
                            "UPDATE batches SET cancelled_at = $2
                             WHERE id = $1 AND published_at IS NULL
                               AND (loader_seen_at < $3 OR cancelled_at IS NOT NULL)",
                            &[&id, &now.0, &silent_since],
                        )
                        .await?)
                })
            })
            .await?;
        if marked == 1 { self.abandon_rows(id).await } else { Ok(()) }
    }

    /// Deletes an invisible batch chunk by chunk.
    pub(crate) async fn abandon_rows(self, id: i64) -> Result<()> {
        let now = self.store.now();
        loop {
            let rows = self.first_rows(id).await?;
            if rows.is_empty() {
                break;
            }
            for rows in in_chunks(rows) {
                let numbers: Vec<i64> = rows.into_iter().map(|(_, number)| number).collect();
                self.store
                    .db
                    .write(move |conn| {
                        Box::pin(async move { drop_chunk(conn, id, &numbers, now).await })
                    })
                    .await?;
            }
        }
        self.store.db.write(move |conn| Box::pin(async move { drop_batch(conn, id).await })).await
    }

    /// Returns the first rows of a batch: the reveal that each shows, and its number.
    async fn first_rows(self, id: i64) -> Result<Vec<(Option<i64>, i64)>> {
        let mut conn = self.store.db.read().await?;
        Ok(conn
            .fetch_all(
                "SELECT reveal_id, row_number FROM batch_rows WHERE batch_id = $1
                 ORDER BY row_number LIMIT $2",
                &[&id, &READ_AT_ONCE],
            )
            .await?)
    }
}

/// Deletes a batch without rows.
async fn drop_batch(conn: &mut Conn, id: i64) -> Result<()> {
    // If two processes purge the batch at once, the second one sees the totals after the first one deleted them.
    Gate::lock_all(conn, Provider::ALL.into_iter()).await?;
    // The ledger's total spending must not shrink with the batch.
    conn.execute(
        "UPDATE provider_gates SET purged_spent = purged_spent +
            COALESCE((SELECT t.credits_spent FROM batch_totals t
                      WHERE t.batch_id = $1 AND t.provider = provider_gates.provider), 0)",
        &[&id],
    )
    .await?;
    conn.execute("DELETE FROM batch_totals WHERE batch_id = $1", &[&id]).await?;
    conn.execute("DELETE FROM rejected_rows WHERE batch_id = $1", &[&id]).await?;
    conn.execute("DELETE FROM batches WHERE id = $1", &[&id]).await?;
    Ok(())
}

/// Deletes some rows, and the people that nothing else needs.
async fn drop_chunk(conn: &mut Conn, id: i64, rows: &[i64], now: Timestamp) -> Result<()> {
    // Submits look people up under this lock, so no submit takes up a person who is being deleted.
    RevealIds::lock(conn).await?;
    let steps: Vec<(i64,)> = conn
        .fetch_all(
            "DELETE FROM row_waterfall WHERE batch_id = $2
             AND row_number IN (SELECT e.value FROM IDS($1) AS e) RETURNING reveal_id",
            &[&Ints::of(rows), &id],
        )
        .await?;
    let shown: Vec<(Option<i64>,)> = conn
        .fetch_all(
            "DELETE FROM batch_rows WHERE batch_id = $2
             AND row_number IN (SELECT e.value FROM IDS($1) AS e) RETURNING reveal_id",
            &[&Ints::of(rows), &id],
        )
        .await?;
    conn.execute("DELETE FROM batch_merges WHERE batch_id = $1", &[&id]).await?;
    let mut totals = Totals::default();
    let shown = shown.into_iter().filter_map(|(reveal,)| reveal);
    let people: BTreeSet<i64> = shown.chain(steps.into_iter().map(|(reveal,)| reveal)).collect();
    let people: Vec<i64> = people.into_iter().collect();
    assign_owners(conn, &mut totals, &people, now).await?;
    let unsaid: Option<(i64,)> = conn
        .fetch_optional("SELECT id FROM batches WHERE id = $1 AND finished_at IS NULL", &[&id])
        .await?;
    let subjects = subjects_of(conn, &people).await?;
    forget_unasked(conn, &people).await?;
    // The evidence of a batch that was never published doesn't count, either.
    deletion::forget(conn, subjects, unsaid.map(|(id,)| id)).await?;
    totals.flush(conn, now).await?;
    conn.announce(Topic::Queue);
    Ok(())
}

/// Deletes reveals that were never part of a call and that no row wants.
async fn forget_unasked(conn: &mut Conn, people: &[i64]) -> Result<()> {
    conn.execute(
        "DELETE FROM reveals WHERE state = 'idle' AND call_id IS NULL
           AND id IN (SELECT e.value FROM IDS($1) AS e)
           AND NOT EXISTS (SELECT 1 FROM batch_rows w WHERE w.reveal_id = reveals.id)
           AND NOT EXISTS (SELECT 1 FROM row_waterfall f WHERE f.reveal_id = reveals.id)",
        &[&Ints::of(people)],
    )
    .await?;
    Ok(())
}

async fn subjects_of(conn: &mut Conn, people: &[i64]) -> Result<Vec<String>> {
    let subjects: Vec<(String,)> = conn
        .fetch_all(
            "SELECT r.subject FROM IDS($1) AS e JOIN reveals r ON r.id = e.value",
            &[&Ints::of(people)],
        )
        .await?;
    Ok(subjects.into_iter().map(|(subject,)| subject).collect())
}
