//! The queue of reveals, and the batch that owns each. A reveal is queued exactly while a row wants it, and is owned by the
//! batch that is served soonest.

use std::collections::{BTreeMap, HashMap};

use db::bulk::{ints, write_rows};
use db::{Conn, Ints, record};
use jobs::ownership::{Wanting, owner};
use jobs::{Provider, RevealState, Timestamp};

use crate::decode::parse_provider;
use crate::error::Result;
use crate::reveals::charge::display_charges_again;
use crate::reveals::counters::{Totals, count_rows};
use crate::reveals::displayed_rows::lock_states;
use crate::reveals::waterfall::{States, waits};
use crate::topic::Topic;

record! {
    struct KeptRow {
        batch_id: i64,
        row_number: i64,
        reveal_id: i64,
        kept_id: i64,
        provider: String,
    }
}

/// Assigns owners to the waiting reveals among `ids`. Rows of cancelled batches don't count. A reveal that a row displays is
/// queued, and owned by the batch that is served soonest ([`jobs::ownership`]). A reveal that no row displays is idle.
pub(crate) async fn assign_owners(
    conn: &mut Conn,
    totals: &mut Totals,
    ids: &[i64],
    now: Timestamp,
) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut waiting = lock_states(conn, &ids.iter().copied().collect()).await?;
    waiting.retain(|_, (_, state)| waits(*state));
    let ids: Vec<i64> = waiting.keys().copied().collect();
    if ids.is_empty() {
        return Ok(());
    }
    show_kept_numbers(conn, totals, &waiting, &ids).await?;
    end_cancelled_rows(conn, totals, &waiting, &ids, now).await?;
    let wanting = wanting(conn, &ids).await?;
    let (mut woken, mut unwanted): (BTreeMap<Provider, Vec<i64>>, Vec<i64>) = Default::default();
    let mut owned = Vec::with_capacity(ids.len());
    for (&id, &(provider, state)) in &waiting {
        let owner = owner(wanting.get(&id).into_iter().flatten().copied());
        match (state, owner) {
            (RevealState::Idle, None) => continue,
            (RevealState::Idle, Some(_)) => woken.entry(provider).or_default().push(id),
            (_, None) => unwanted.push(id),
            (_, Some(_)) => {}
        }
        owned.push((id, owner));
    }
    write_owners(conn, &owned).await?;
    wake(conn, totals, &woken, now).await?;
    if !unwanted.is_empty() {
        conn.execute(
            "UPDATE reveals SET state = 'idle', reason = NULL, due_at = NULL, updated_at = $2
             WHERE id IN (SELECT e.value FROM IDS($1) AS e)",
            &[&Ints::of(&unwanted), &now.0],
        )
        .await?;
    }
    Ok(())
}

/// Makes rows of cancelled batches that went on past numbers of another type show those numbers again.
async fn show_kept_numbers(
    conn: &mut Conn,
    totals: &mut Totals,
    waiting: &States,
    ids: &[i64],
) -> Result<()> {
    let kept: Vec<KeptRow> = conn
        .fetch_all(
            "SELECT w.batch_id, w.row_number, w.reveal_id, w.kept_id, r.provider FROM IDS($1) AS e
             JOIN batch_rows w ON w.reveal_id = e.value AND w.ended IS NULL
             JOIN batches b ON b.id = w.batch_id AND b.cancelled_at IS NOT NULL
             JOIN reveals r ON r.id = w.kept_id AND r.state = 'found'",
            &[&Ints::of(ids)],
        )
        .await?;
    for row in &kept {
        let Some(from) = waiting.get(&row.reveal_id) else { continue };
        let to = parse_provider(&row.provider, row.kept_id)?;
        totals.moved(row.batch_id, *from, (to, RevealState::Found), 1);
    }
    let columns = vec![
        ("batch", ints(kept.iter().map(|row| row.batch_id))),
        ("number", ints(kept.iter().map(|row| row.row_number))),
    ];
    write_rows(
        conn,
        "UPDATE batch_rows SET reveal_id = kept_id, kept_id = NULL FROM ROWS
         WHERE batch_rows.batch_id = e.batch AND batch_rows.row_number = e.number",
        columns,
    )
    .await?;
    display_charges_again(conn, &kept.iter().map(|row| row.kept_id).collect()).await
}

/// Ends the rows of cancelled batches.
async fn end_cancelled_rows(
    conn: &mut Conn,
    totals: &mut Totals,
    waiting: &States,
    ids: &[i64],
    now: Timestamp,
) -> Result<()> {
    let ended: Vec<(i64, i64)> = conn
        .fetch_all(
            "UPDATE batch_rows SET ended = 'cancelled', ended_at = $2
             WHERE reveal_id IN (SELECT e.value FROM IDS($1) AS e) AND ended IS NULL
               AND batch_id IN (SELECT b.id FROM batches b WHERE b.cancelled_at IS NOT NULL)
             RETURNING batch_id, reveal_id",
            &[&Ints::of(ids), &now.0],
        )
        .await?;
    for (batch, reveal) in ended {
        if let Some(&(provider, state)) = waiting.get(&reveal) {
            totals.moved(batch, (provider, state), (provider, RevealState::Cancelled), 1);
        }
    }
    Ok(())
}

record! {
    struct WantingRow {
        reveal_id: i64,
        batch: i64,
        published: i64,
        at_ceiling: i64,
        priority: i64,
    }
}

/// Returns the batches that want each reveal.
async fn wanting(conn: &mut Conn, ids: &[i64]) -> Result<HashMap<i64, Vec<Wanting>>> {
    // The sum `w.batch_id + 0` keeps Postgres from reading all rows of a batch: without statistics on a new table, it
    // doesn't know which index yields fewer rows.
    let rows: Vec<WantingRow> = conn
        .fetch_all(
            "SELECT DISTINCT r.id AS reveal_id, b.id AS batch,
                    CAST(CASE WHEN b.published_at IS NULL THEN 0 ELSE 1 END AS BIGINT) AS published,
                    COALESCE(t.at_ceiling, 0) AS at_ceiling, b.priority
             FROM IDS($1) AS e JOIN reveals r ON r.id = e.value
             JOIN batch_rows w ON w.reveal_id = r.id AND w.ended IS NULL
             JOIN batches b ON b.id = w.batch_id + 0 AND b.cancelled_at IS NULL
             LEFT JOIN batch_totals t ON t.batch_id = b.id AND t.provider = r.provider",
            &[&Ints::of(ids)],
        )
        .await?;
    let mut wanting: HashMap<i64, Vec<Wanting>> = HashMap::new();
    for row in rows {
        let WantingRow { reveal_id, batch, priority, .. } = row;
        let (published, at_ceiling) = (row.published == 1, row.at_ceiling == 1);
        let wants = Wanting { batch, published, at_ceiling, priority };
        wanting.entry(reveal_id).or_default().push(wants);
    }
    Ok(wanting)
}

async fn write_owners(conn: &mut Conn, owned: &[(i64, Option<i64>)]) -> Result<()> {
    let columns = vec![
        ("id", ints(owned.iter().map(|(id, _)| *id))),
        ("owner", ints(owned.iter().map(|(_, owner)| *owner))),
    ];
    write_rows(
        conn,
        "UPDATE reveals SET unclaimed = 0, owner = e.owner FROM ROWS WHERE reveals.id = e.id",
        columns,
    )
    .await?;
    Ok(())
}

/// Queues idle reveals that a row wants.
async fn wake(
    conn: &mut Conn,
    totals: &mut Totals,
    woken: &BTreeMap<Provider, Vec<i64>>,
    now: Timestamp,
) -> Result<()> {
    for (provider, ids) in woken {
        count_rows(conn, totals, *provider, ids, RevealState::Queued).await?;
        conn.execute(
            "UPDATE reveals SET state = 'queued', reason = NULL, due_at = NULL, updated_at = $2
             WHERE id IN (SELECT e.value FROM IDS($1) AS e)",
            &[&Ints::of(ids), &now.0],
        )
        .await?;
        conn.announce(Topic::Queue);
    }
    Ok(())
}
