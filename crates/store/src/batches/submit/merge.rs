//! Merges people who are two in the ledger but one by the evidence of a batch. When the batch is published, the reveal that
//! was not sent gives way to the other reveal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use db::{Conn, Ints, record};
use jobs::identity::Persons;
use jobs::identity::choice::{Standing, counting, gives_way};
use jobs::{Provider, RevealState, Timestamp};

use crate::decode::{parse_provider, parse_state};
use crate::error::Result;
use crate::people::links::evidence::persons_of;
use crate::people::resolve::RevealIds;
use crate::reveals::counters::Totals;
use crate::reveals::transition::give_way;

/// Merges that one transaction carries out.
const AT_ONCE: i64 = 1_000;

/// Returns whether more of the batch's own reveals are to give way than the publishing transaction takes. These reveals are
/// not visible yet, so they may give way before.
pub(super) async fn has_many_of_its_own(conn: &mut Conn, batch: i64) -> Result<bool> {
    let pairs: i64 = conn
        .fetch_value(
            "SELECT COUNT(*) FROM batch_merges m JOIN reveals r ON r.id = m.loser
             WHERE m.batch_id = $1 AND r.owner = $1",
            &[&batch],
        )
        .await?;
    Ok(pairs > AT_ONCE)
}

/// Carries out some merges, in their own transaction. Returns whether there were any.
pub(super) async fn merge_some(conn: &mut Conn, batch: i64, now: Timestamp) -> Result<bool> {
    RevealIds::lock(conn).await?;
    let mut totals = Totals::default();
    let any = carry_out_merges(conn, &mut totals, batch, now).await?;
    totals.flush(conn, now).await?;
    Ok(any)
}

/// A reveal that is to give way, or to stay.
struct Reveal {
    id: i64,
    provider: Provider,
    subject: Arc<str>,
    generation: i64,
    state: RevealState,
    revealed_at: Option<Timestamp>,
}

/// Carries out some of a batch's merges by the current states, the batch's own reveals first. Returns whether there were
/// any. The caller must hold the lock on `reveal_ids`.
pub(super) async fn carry_out_merges(
    conn: &mut Conn,
    totals: &mut Totals,
    batch: i64,
    now: Timestamp,
) -> Result<bool> {
    let pairs: Vec<(i64, i64)> = conn
        .fetch_all(
            "SELECT m.loser, m.winner FROM batch_merges m JOIN reveals r ON r.id = m.loser
             WHERE m.batch_id = $1 ORDER BY CASE WHEN r.owner = $1 THEN 0 ELSE 1 END, m.loser LIMIT $2",
            &[&batch, &AT_ONCE],
        )
        .await?;
    if pairs.is_empty() {
        return Ok(false);
    }
    let reveals = lock(conn, &pairs).await?;
    let subjects = reveals.iter().map(|reveal| Arc::clone(&reveal.subject));
    let persons = persons_of(conn, subjects).await?;
    give_way(conn, totals, &decide(&reveals, &persons), now).await?;
    let done: Vec<i64> = pairs.iter().map(|(loser, _)| *loser).collect();
    conn.execute(
        "DELETE FROM batch_merges WHERE batch_id = $2
           AND loser IN (SELECT e.value FROM IDS($1) AS e)",
        &[&Ints::of(&done), &batch],
    )
    .await?;
    Ok(true)
}

record! {
    struct RevealRow {
        id: i64,
        provider: String,
        subject: String,
        generation: i64,
        state: String,
        revealed_at: Option<i64>,
    }
}

async fn lock(conn: &mut Conn, pairs: &[(i64, i64)]) -> Result<Vec<Reveal>> {
    let ids: BTreeSet<i64> = pairs.iter().flat_map(|(loser, winner)| [*loser, *winner]).collect();
    let found: Vec<RevealRow> = conn
        .fetch_all(
            "SELECT id, provider, subject, generation, state, revealed_at FROM reveals
             WHERE id IN (SELECT e.value FROM IDS($1) AS e) ORDER BY id FOR UPDATE",
            &[&Ints::of(&ids)],
        )
        .await?;
    let reveal = |row: RevealRow| {
        Ok(Reveal {
            id: row.id,
            provider: parse_provider(&row.provider, row.id)?,
            subject: row.subject.into(),
            generation: row.generation,
            state: parse_state(&row.state, row.id)?,
            revealed_at: row.revealed_at.map(Timestamp),
        })
    };
    found.into_iter().map(reveal).collect()
}

impl Reveal {
    fn standing(&self) -> Standing<'_> {
        Standing {
            id: self.id,
            subject: &self.subject,
            generation: self.generation,
            state: self.state,
            revealed_at: self.revealed_at,
        }
    }
}

/// Returns which reveal gives way to which, among reveals that are still one person's. A later row may have contradicted
/// the row that joined them.
fn decide(reveals: &[Reveal], persons: &Persons) -> BTreeMap<i64, i64> {
    let mut groups: BTreeMap<(Provider, &[Arc<str>]), Vec<Standing>> = BTreeMap::new();
    for reveal in reveals {
        let person = persons.with(&reveal.subject);
        groups.entry((reveal.provider, person)).or_default().push(reveal.standing());
    }
    let mut making_way = BTreeMap::new();
    for standings in groups.into_values() {
        let Some(best) = counting(&standings, None) else { continue };
        let losers = standings.iter().filter(|reveal| gives_way(reveal, &best));
        making_way.extend(losers.map(|loser| (loser.id, best.id)));
    }
    making_way
}
