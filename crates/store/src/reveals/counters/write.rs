//! Writes the differences of a transaction into `batch_totals` and `batches`.

use std::collections::{BTreeMap, BTreeSet};

use db::bulk::{Columns, fetch_for_rows, ints, same, words, write_rows};
use db::{Conn, Ints, record};
use jobs::{Provider, Timestamp};

use crate::error::Result;
use crate::reveals::counters::{BatchDelta, ProviderDelta, Totals, log_end};

record! {
    /// A batch whose counts were written.
    struct Written {
        id: i64,
        batch_id: String,
        total: i64,
        finished_at: Option<i64>,
    }
}

/// The epoch of the counts of batch `b` at provider `$1`. As with gates, it leads past the old versions of the row.
macro_rules! newest {
    () => {
        "(SELECT n.epoch FROM batch_totals n WHERE n.batch_id = b.id AND n.provider = $1
          ORDER BY n.epoch DESC LIMIT 1)"
    };
}

pub(crate) use newest;

/// The counts `t` of batch `b` at provider `$1`, for a value of theirs. There is one row of them; the order leads past its
/// old versions.
macro_rules! from_newest {
    () => {
        "FROM batch_totals t WHERE t.batch_id = b.id AND t.provider = $1 ORDER BY t.epoch DESC LIMIT 1"
    };
}

pub(crate) use from_newest;

record! {
    /// Counts that were written.
    struct Counted {
        batch_id: i64,
        provider: String,
        /// How many rows of the batch are not finished at the provider.
        open: i64,
    }
}

type Change<'a> = ((i64, Provider), &'a ProviderDelta);

fn columns<'a>(deltas: impl Iterator<Item = Change<'a>> + Clone) -> Columns {
    let column = |of: fn(&ProviderDelta) -> i64| ints(deltas.clone().map(|(_, delta)| of(delta)));
    vec![
        ("batch", ints(deltas.clone().map(|((batch, _), _)| batch))),
        ("provider", words(deltas.clone().map(|((_, provider), _)| Some(provider.as_str())))),
        ("queued", column(|delta| delta.queued)),
        ("asked", column(|delta| delta.asked)),
        ("retrying", column(|delta| delta.retrying)),
        ("found", column(|delta| delta.found)),
        ("not_found", column(|delta| delta.not_found)),
        ("failed", column(|delta| delta.failed)),
        ("expired", column(|delta| delta.expired)),
        ("cancelled", column(|delta| delta.cancelled)),
        ("people_asked", column(|delta| delta.people_asked)),
        ("people_found", column(|delta| delta.people_found)),
        ("people_not_found", column(|delta| delta.people_not_found)),
        ("credits_reserved", column(|delta| delta.reserved.thousandths())),
        ("credits_spent", column(|delta| delta.spent.thousandths())),
        ("written_off", column(|delta| delta.written_off.thousandths())),
        ("served", column(|delta| delta.served)),
        ("credits_looked_up", column(|delta| delta.looked_up.thousandths())),
    ]
}

/// Locks counts in order, provider by provider. The update locks its rows in an order that the planner chooses.
async fn lock_counts(conn: &mut Conn, counts: impl Iterator<Item = (i64, Provider)>) -> Result<()> {
    let mut batches: BTreeMap<Provider, Vec<i64>> = BTreeMap::new();
    for (batch, provider) in counts {
        batches.entry(provider).or_default().push(batch);
    }
    for (provider, batches) in batches {
        let _: Vec<(i64,)> = conn
            .fetch_all(
                "SELECT t.batch_id FROM IDS($1) AS e
                 JOIN batch_totals t ON t.batch_id = e.value AND t.provider = $2
                    AND t.epoch >= (SELECT n.epoch FROM batch_totals n
                                    WHERE n.batch_id = e.value AND n.provider = $2
                                    ORDER BY n.epoch DESC LIMIT 1)
                 ORDER BY t.batch_id FOR UPDATE",
                &[&Ints::of(batches), &provider.as_str()],
            )
            .await?;
    }
    Ok(())
}

/// Adds to counts that are there. Returns them as they are now.
async fn add(conn: &mut Conn, columns: Columns) -> Result<Vec<Counted>> {
    Ok(fetch_for_rows(
        conn,
        "UPDATE batch_totals SET queued = batch_totals.queued + e.queued,
            asked = batch_totals.asked + e.asked,
            retrying = batch_totals.retrying + e.retrying,
            found = batch_totals.found + e.found,
            not_found = batch_totals.not_found + e.not_found,
            failed = batch_totals.failed + e.failed,
            expired = batch_totals.expired + e.expired,
            cancelled = batch_totals.cancelled + e.cancelled,
            people_asked = batch_totals.people_asked + e.people_asked,
            people_found = batch_totals.people_found + e.people_found,
            people_not_found = batch_totals.people_not_found + e.people_not_found,
            credits_reserved = batch_totals.credits_reserved + e.credits_reserved,
            credits_spent = batch_totals.credits_spent + e.credits_spent,
            written_off = batch_totals.written_off + e.written_off,
            served = batch_totals.served + e.served,
            credits_looked_up = batch_totals.credits_looked_up + e.credits_looked_up,
            updates = batch_totals.updates + 1
         FROM ROWS WHERE batch_totals.batch_id = e.batch AND batch_totals.provider = e.provider
            AND batch_totals.epoch >= (SELECT n.epoch FROM batch_totals n
                                       WHERE n.batch_id = e.batch AND n.provider = e.provider
                                       ORDER BY n.epoch DESC LIMIT 1)
         RETURNING batch_totals.batch_id AS batch_id, batch_totals.provider AS provider,
            batch_totals.queued + batch_totals.asked + batch_totals.retrying AS open",
        columns,
    )
    .await?)
}

/// Adds counts of zero for batches at providers, where there are none. Purged batches are left out: a call that also had
/// members of other batches may still name one.
pub(crate) async fn begin_counts(conn: &mut Conn, new: &[(i64, Provider)]) -> Result<()> {
    let batches: BTreeSet<i64> = new.iter().map(|(batch, _)| *batch).collect();
    lock_batches(conn, batches).await?;
    write_rows(
        conn,
        "INSERT INTO batch_totals (batch_id, provider)
         SELECT e.batch, e.provider FROM ROWS WHERE EXISTS (SELECT 1 FROM batches b WHERE b.id = e.batch)
            AND NOT EXISTS (SELECT 1 FROM batch_totals t WHERE t.batch_id = e.batch AND t.provider = e.provider)",
        vec![
            ("batch", ints(new.iter().map(|(batch, _)| *batch))),
            ("provider", words(new.iter().map(|(_, provider)| Some(provider.as_str())))),
        ],
    )
    .await?;
    Ok(())
}

/// Whether any row of a batch in `batches` is open, by the counts. It has to be asked after the batch was locked.
macro_rules! has_open_rows {
    () => {
        "EXISTS (SELECT 1 FROM batch_totals t
                 WHERE t.batch_id = batches.id AND t.queued + t.asked + t.retrying > 0)"
    };
}

pub(crate) use has_open_rows;

impl Totals {
    /// Writes the differences.
    pub(crate) async fn flush(self, conn: &mut Conn, now: Timestamp) -> Result<()> {
        let open = self.flush_providers(conn).await?;
        self.flush_batches(conn, &open, now).await
    }

    /// Returns the batches of which rows are open at one of these providers.
    async fn flush_providers(&self, conn: &mut Conn) -> Result<BTreeSet<i64>> {
        let deltas = self.providers.iter().map(|(key, delta)| (*key, delta));
        if self.providers.len() > 1 {
            lock_counts(conn, self.providers.keys().copied()).await?;
        }
        let mut written = add(conn, columns(deltas.clone())).await?;
        let known: BTreeSet<(i64, &str)> =
            written.iter().map(|row| (row.batch_id, row.provider.as_str())).collect();
        let new: Vec<Change<'_>> = deltas
            .filter(|((batch, provider), _)| !known.contains(&(*batch, provider.as_str())))
            .collect();
        if !new.is_empty() {
            let keys: Vec<(i64, Provider)> = new.iter().map(|(key, _)| *key).collect();
            begin_counts(conn, &keys).await?;
            written.extend(add(conn, columns(new.iter().copied())).await?);
        }
        Ok(written.into_iter().filter(|row| row.open > 0).map(|row| row.batch_id).collect())
    }

    /// A batch with open rows is left alone, as most are: its row would change with every result. When its last rows end at
    /// several providers at the same time, the last transaction to lock it sees that it is finished.
    async fn flush_batches(
        &self,
        conn: &mut Conn,
        open: &BTreeSet<i64>,
        now: Timestamp,
    ) -> Result<()> {
        let changes = |(id, delta): &(i64, &BatchDelta)| {
            delta.total != 0 || delta.unfinished > 0 || (delta.unfinished < 0 && !open.contains(id))
        };
        let deltas = self.batches.iter().map(|(&id, delta)| (id, delta));
        let changed: Vec<(i64, &BatchDelta)> = deltas.filter(changes).collect();
        if changed.is_empty() {
            return Ok(());
        }
        let ids: Vec<i64> = changed.iter().map(|(id, _)| *id).collect();
        lock_batches(conn, ids.iter().copied()).await?;
        let columns = vec![
            ("id", ints(ids)),
            ("total", ints(changed.iter().map(|(_, delta)| delta.total))),
            ("now", same(now.0, changed.len())),
        ];
        let written: Vec<Written> = fetch_for_rows(
            conn,
            concat!(
                "UPDATE batches SET total = batches.total + e.total,
                    finished_at = CASE WHEN published_at IS NULL OR ",
                has_open_rows!(),
                " THEN NULL ELSE e.now END
                 FROM ROWS WHERE batches.id = e.id
                 RETURNING batches.id AS id, batches.batch_id AS batch_id, batches.total AS total,
                    batches.finished_at AS finished_at",
            ),
            columns,
        )
        .await?;
        for batch in written {
            let fell = self.batches.get(&batch.id).is_some_and(|delta| delta.unfinished < 0);
            if fell && batch.finished_at.is_some() {
                log_end(&batch.batch_id, batch.total);
            }
        }
        Ok(())
    }
}

/// Locks batches in the order of their ids. New rows of `batch_totals` hold a lock on their batch's key, which this doesn't
/// wait for.
pub(crate) async fn lock_batches(
    conn: &mut Conn,
    ids: impl IntoIterator<Item = i64>,
) -> Result<()> {
    let _: Vec<(i64,)> = conn
        .fetch_all(
            "SELECT id FROM batches WHERE id IN (SELECT e.value FROM IDS($1) AS e)
             ORDER BY id FOR NO KEY UPDATE",
            &[&Ints::of(ids)],
        )
        .await?;
    Ok(())
}
