//! Deleting finished, old data: batches with their rows, people that no batch shows any more, and the records of requests.
//! Transactions are short, so that workers can continue meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use db::{BoxFuture, Conn, Ints, Traces};
use jobs::Timestamp;
use jobs::duration::display;

use crate::audit::{Action, Entry};
use crate::error::Result;
use crate::people::links::deletion;
use crate::people::links::still_known::still_known;
use crate::people::marks::Marks;
use crate::people::resolve::RevealIds;
use crate::privacy::Privacy;
use crate::results::bodies::note_purge;

/// The speed of deleting: the rows in one transaction, and the rest between two, in which other processes have the
/// database to themselves.
#[derive(Clone, Copy)]
pub(super) struct Steps {
    pub(super) at_once: i64,
    pub(super) rest: Duration,
}

/// The speed of a purge by hand: no pauses.
const BY_HAND: Steps = Steps { at_once: 1_000, rest: Duration::ZERO };

/// Deletes the rows with these ids in one transaction.
pub(super) type Forget =
    for<'c> fn(&'c mut Conn, Vec<i64>, Timestamp) -> BoxFuture<'c, Result<Forgotten>>;

/// The number of deleted rows, and the texts in them.
#[derive(Default)]
pub(super) struct Forgotten {
    pub(super) gone: i64,
    pub(super) texts: Vec<String>,
}

/// The result of a purge, in counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Purged {
    /// Batches with all their rows.
    pub batches: i64,
    /// People at a provider, with their numbers.
    pub reveals: i64,
    /// Requests.
    pub calls: i64,
    /// Raw bodies of webhooks.
    pub webhooks: i64,
}

/// The result of a purge, and the texts to look for afterwards.
#[derive(Debug, Clone, Default)]
pub struct Purge {
    /// How much was deleted.
    pub purged: Purged,
    /// The deleted texts, for [`Privacy::scrub`].
    pub traces: Traces,
}

impl Privacy<'_> {
    /// Deletes data that was finished longer than `age` ago. People who wait for a result are not touched. Copies that the
    /// database may keep outside of its rows are left to [`Privacy::scrub`].
    ///
    /// # Errors
    /// The database can't be used. Data deleted until then stays deleted; the next purge deletes the rest.
    pub async fn purge(self, age: Duration) -> Result<Purge> {
        let before = self.store.now() - age;
        let entry = Entry::of(Action::Purge).details(format!("older_than={}", display(age)));
        self.store.audit().note(entry).await?;
        let mut traces = Traces::default();
        let purged = Purged {
            batches: self.purge_batches(before, BY_HAND).await?,
            reveals: self.purge_reveals(before, BY_HAND, &mut traces).await?,
            calls: self.purge_calls(before, BY_HAND).await?,
            webhooks: {
                self.purge_free_requests(before, BY_HAND).await?;
                self.purge_webhooks(before, BY_HAND).await?
            },
        };
        Ok(Purge { purged, traces })
    }

    /// Deletes finished batches. A batch that still reserves credits is kept until its open requests are settled, even if its
    /// rows are finished.
    pub(super) async fn purge_batches(self, before: Timestamp, steps: Steps) -> Result<i64> {
        let old: Vec<(i64,)> = {
            let mut conn = self.store.db.read().await?;
            conn.fetch_all(
                "SELECT b.id FROM batches b WHERE b.finished_at < $1
                   AND NOT EXISTS (SELECT 1 FROM batch_totals t
                                   WHERE t.batch_id = b.id AND t.credits_reserved > 0)
                 ORDER BY b.id",
                &[&before.0],
            )
            .await?
        };
        let mut purged = 0;
        for (id,) in old {
            // From here on the batch is like one that was never published: it is invisible, and if this purge is cut short,
            // the batch is swept.
            let hidden = self
                .store
                .db
                .write(move |conn| {
                    Box::pin(async move {
                        Ok(conn
                            .execute(
                                "UPDATE batches SET published_at = NULL, cancelled_at = $2
                                 WHERE id = $1 AND finished_at < $2",
                                &[&id, &before.0],
                            )
                            .await?)
                    })
                })
                .await?;
            if hidden == 1 {
                self.store.batches().abandon_rows(id).await?;
                purged += 1;
                tokio::time::sleep(steps.rest).await;
            }
        }
        Ok(purged)
    }

    /// Deletes the rows that the query `find` returns, some at a time. The query returns ids after $1 of rows from before $2,
    /// in order, up to $3 of them.
    pub(super) async fn forget_old(
        self,
        find: &'static str,
        forget: Forget,
        before: Timestamp,
        steps: Steps,
        traces: &mut Traces,
    ) -> Result<i64> {
        let (mut after, mut gone) = (0, 0);
        loop {
            let old: Vec<(i64,)> = {
                let mut conn = self.store.db.read().await?;
                conn.fetch_all(find, &[&after, &before.0, &steps.at_once]).await?
            };
            let Some(&(last,)) = old.last() else { return Ok(gone) };
            after = last;
            let ids: Vec<i64> = old.into_iter().map(|(id,)| id).collect();
            let forgotten = self.store.db.write(move |conn| forget(conn, ids, before)).await?;
            gone += forgotten.gone;
            forgotten.texts.iter().for_each(|text| traces.add(text));
            tokio::time::sleep(steps.rest).await;
        }
    }

    pub(super) async fn purge_reveals(
        self,
        before: Timestamp,
        steps: Steps,
        traces: &mut Traces,
    ) -> Result<i64> {
        self.forget_old(
            "SELECT r.id FROM reveals r
             WHERE r.id > $1 AND r.updated_at < $2
               AND r.state NOT IN ('queued', 'asked', 'retrying')
               AND NOT EXISTS (SELECT 1 FROM batch_rows w WHERE w.reveal_id = r.id)
               AND NOT EXISTS (SELECT 1 FROM row_waterfall f WHERE f.reveal_id = r.id)
               AND NOT EXISTS (SELECT 1 FROM calls c
                               WHERE c.id = r.call_id AND c.deadline_at IS NOT NULL)
             ORDER BY r.id LIMIT $3",
            |conn, ids, before| Box::pin(forget_reveals(conn, ids, before)),
            before,
            steps,
            traces,
        )
        .await
    }

    /// Deletes old calls. A call is kept as long as any of its reveals, since a late webhook must find its people.
    pub(super) async fn purge_calls(self, before: Timestamp, steps: Steps) -> Result<i64> {
        // The note is written first: by it, later webhooks of a deleted call are recognised.
        self.store
            .db
            .write(move |conn| Box::pin(async move { note_purge(conn, before).await }))
            .await?;
        self.forget_old(
            "SELECT c.id FROM calls c
             WHERE c.id > $1 AND c.sent_at < $2 AND c.deadline_at IS NULL
               AND c.state NOT IN ('sending', 'accepted', 'unknown')
               AND NOT EXISTS (SELECT 1 FROM call_reveals m JOIN reveals r ON r.id = m.reveal_id
                               WHERE m.call_id = c.id)
             ORDER BY c.id LIMIT $3",
            |conn, ids, _| Box::pin(forget_calls(conn, ids)),
            before,
            steps,
            &mut Traces::default(),
        )
        .await
    }

    /// Deletes old polls and balances.
    pub(super) async fn purge_free_requests(self, before: Timestamp, steps: Steps) -> Result<()> {
        self.forget_old(
            "SELECT id FROM free_requests WHERE id > $1 AND sent_at < $2 ORDER BY id LIMIT $3",
            |conn, ids, _| {
                let sql =
                    "DELETE FROM free_requests WHERE id IN (SELECT e.value FROM IDS($1) AS e)";
                Box::pin(delete(conn, sql, ids))
            },
            before,
            steps,
            &mut Traces::default(),
        )
        .await?;
        self.forget_old(
            "SELECT id FROM balance_readings WHERE id > $1 AND read_at < $2 ORDER BY id LIMIT $3",
            |conn, ids, _| {
                let sql =
                    "DELETE FROM balance_readings WHERE id IN (SELECT e.value FROM IDS($1) AS e)";
                Box::pin(delete(conn, sql, ids))
            },
            before,
            steps,
            &mut Traces::default(),
        )
        .await?;
        Ok(())
    }

    /// Deletes webhooks with their bodies. Returns their number.
    async fn purge_webhooks(self, before: Timestamp, steps: Steps) -> Result<i64> {
        self.forget_old(
            "SELECT i.id FROM webhook_inbox i
             WHERE i.id > $1 AND i.outcome IS NOT NULL
               AND (i.received_at < $2 OR (i.outcome <> 'unknown_call'
                    AND NOT EXISTS (SELECT 1 FROM calls c WHERE c.call_id = i.call_id)))
             ORDER BY i.id LIMIT $3",
            |conn, ids, _| {
                let sql =
                    "DELETE FROM webhook_inbox WHERE id IN (SELECT e.value FROM IDS($1) AS e)";
                Box::pin(delete(conn, sql, ids))
            },
            before,
            steps,
            &mut Traces::default(),
        )
        .await
    }
}

/// Deletes reveals after checking each of them again, under the lock with which submits look people up.
async fn forget_reveals(conn: &mut Conn, ids: Vec<i64>, before: Timestamp) -> Result<Forgotten> {
    RevealIds::lock(conn).await?;
    let gone: Vec<(i64, String)> = conn
        .fetch_all(
            "DELETE FROM reveals
             WHERE id IN (SELECT e.value FROM IDS($1) AS e) AND updated_at < $2
               AND state NOT IN ('queued', 'asked', 'retrying')
               AND NOT EXISTS (SELECT 1 FROM batch_rows w WHERE w.reveal_id = reveals.id)
               AND NOT EXISTS (SELECT 1 FROM row_waterfall f WHERE f.reveal_id = reveals.id)
             RETURNING id, subject",
            &[&Ints::of(&ids), &before.0],
        )
        .await?;
    let ids: Vec<i64> = gone.iter().map(|(id, ..)| *id).collect();
    let phones: Vec<(String, Option<String>)> = conn
        .fetch_all(
            "DELETE FROM phones WHERE reveal_id IN (SELECT e.value FROM IDS($1) AS e)
             RETURNING raw, e164",
            &[&Ints::of(&ids)],
        )
        .await?;
    let subjects: BTreeSet<String> = gone.into_iter().map(|(_, subject)| subject).collect();
    let phones = phones.into_iter().flat_map(|(raw, e164)| [Some(raw), e164]).flatten();
    deletion::forget(conn, subjects.iter().cloned(), None).await?;
    let known = still_known(conn, subjects.iter().map(String::as_str).collect()).await?;
    let subjects = subjects.into_iter().filter(|subject| !known.contains(subject)).collect();
    let texts = Marks::of(&subjects).stored().chain(phones).collect();
    Ok(Forgotten { gone: i64::try_from(ids.len()).unwrap_or(i64::MAX), texts })
}

async fn forget_calls(conn: &mut Conn, ids: Vec<i64>) -> Result<Forgotten> {
    conn.execute(
        "DELETE FROM call_reveals WHERE call_id IN (SELECT e.value FROM IDS($1) AS e)",
        &[&Ints::of(&ids)],
    )
    .await?;
    delete(conn, "DELETE FROM calls WHERE id IN (SELECT e.value FROM IDS($1) AS e)", ids).await
}

async fn delete(conn: &mut Conn, sql: &'static str, ids: Vec<i64>) -> Result<Forgotten> {
    let gone = conn.execute(sql, &[&Ints::of(&ids)]).await?;
    Ok(Forgotten { gone: i64::try_from(gone).unwrap_or(i64::MAX), texts: Vec::new() })
}
