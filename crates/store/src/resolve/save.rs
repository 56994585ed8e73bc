//! Writing what resolving a chunk came to: new people, aliases, and people who turned out to be one.

use std::collections::{BTreeMap, BTreeSet};

use jobs::{Provider, RevealState, Timestamp};
use serde::Serialize;

use super::{Known, NewAlias, People};
use crate::Result;
use crate::conn::{Conn, exec, rows};
use crate::lanes::find_lanes;
use crate::totals::{Totals, json};
use crate::transition::{advance_waterfalls, show_found};

/// A reveal to be written.
#[derive(Debug, Serialize)]
struct NewReveal {
    id: i64,
    provider: Provider,
    subject: String,
    generation: i64,
}

impl People {
    /// Writes what is new and what changed; merges are carried out on rows written earlier.
    pub(crate) async fn save(
        mut self,
        conn: &mut Conn,
        totals: &mut Totals,
        now: Timestamp,
    ) -> Result<Merged> {
        let winners = self.save_merges(conn, totals, now).await?;
        let winners = winners.into_iter().map(|id| (id, self.state(id))).collect();
        let (fresh, idle_before): (Vec<&Known>, Vec<&Known>) =
            self.reveals.values().partition(|known| known.fresh);
        self.save_new(conn, &fresh, now).await?;
        self.wake(conn, &idle_before, now).await?;
        let newest: BTreeMap<&str, &NewAlias> =
            self.aliases.iter().map(|alias| (alias.identifier.as_str(), alias)).collect();
        if !newest.is_empty() {
            exec!(
                conn,
                "INSERT INTO aliases (provider, identifier, subject)
                 SELECT e.value->>'provider', e.value->>'identifier', e.value->>'subject'
                 FROM EACH($1) AS e WHERE TRUE
                 ON CONFLICT (provider, identifier) DO UPDATE SET subject = excluded.subject",
                json(&newest.values().collect::<Vec<_>>()),
            )?;
        }
        Ok(Merged { provider: self.provider, winners })
    }

    /// Whoever waited for nobody has their turn now; who was queued already stays in their lane.
    async fn wake(&self, conn: &mut Conn, known: &[&Known], now: Timestamp) -> Result<()> {
        #[derive(Serialize)]
        struct Woken {
            id: i64,
            lane: i64,
        }
        let queued = known.iter().filter(|known| known.state == RevealState::Queued);
        let woken: Vec<Woken> =
            queued.filter_map(|known| Some(Woken { id: known.id, lane: known.lane? })).collect();
        if woken.is_empty() {
            return Ok(());
        }
        exec!(
            conn,
            "UPDATE reveals SET state = 'queued', lane = CAST(e.value->>'lane' AS BIGINT), updated_at = $2
             FROM EACH($1) AS e
             WHERE reveals.id = CAST(e.value->>'id' AS BIGINT) AND state = 'idle'",
            json(&woken),
            now.0,
        )?;
        Ok(())
    }

    async fn save_new(&self, conn: &mut Conn, fresh: &[&Known], now: Timestamp) -> Result<()> {
        if fresh.is_empty() {
            return Ok(());
        }
        let mut new: Vec<(NewReveal, RevealState, Option<i64>)> = fresh
            .iter()
            .map(|known| {
                let gone = self.merged.contains_key(&known.id);
                let state = if gone { RevealState::Idle } else { known.state };
                let reveal = NewReveal {
                    id: known.id,
                    provider: self.provider,
                    subject: known.subject.clone(),
                    generation: known.generation,
                };
                (reveal, state, known.lane)
            })
            .collect();
        new.sort_unstable_by_key(|(reveal, ..)| reveal.id);
        #[derive(Serialize)]
        struct Row<'a> {
            #[serde(flatten)]
            reveal: &'a NewReveal,
            state: &'static str,
            lane: Option<i64>,
        }
        let rows: Vec<Row> = new
            .iter()
            .map(|(reveal, state, lane)| Row { reveal, state: state.as_str(), lane: *lane })
            .collect();
        exec!(
            conn,
            "INSERT INTO reveals (id, provider, subject, generation, state, lane, updated_at)
             SELECT CAST(e.value->>'id' AS BIGINT), e.value->>'provider', e.value->>'subject',
                    CAST(e.value->>'generation' AS BIGINT), e.value->>'state',
                    CAST(e.value->>'lane' AS BIGINT), CAST($2 AS BIGINT)
             FROM EACH($1) AS e",
            json(&rows),
            now.0,
        )?;
        Ok(())
    }

    /// Carries out merges on rows written earlier; returns whom those rows show now.
    async fn save_merges(
        &mut self,
        conn: &mut Conn,
        totals: &mut Totals,
        now: Timestamp,
    ) -> Result<BTreeSet<i64>> {
        let mut winners = BTreeSet::new();
        let losers: Vec<i64> = self.merged.keys().copied().collect();
        for loser in losers {
            let winner = self.settled_id(loser);
            let Some(old) = self.known(loser).filter(|known| !known.fresh).cloned() else {
                continue;
            };
            let rows: Vec<(i64, i64)> = rows!(
                conn,
                "SELECT batch_id, COUNT(*) FROM batch_rows
                 WHERE reveal_id = $1 AND ended IS NULL GROUP BY batch_id",
                loser,
            )?;
            if let (false, Some(lane)) = (rows.is_empty(), old.lane) {
                self.queue(winner, lane);
            }
            if !rows.is_empty() {
                winners.insert(winner);
            }
            let to = (self.provider, self.state(winner));
            for (batch, n) in rows {
                totals.moved(batch, (self.provider, old.state), to, n);
            }
            exec!(
                conn,
                "UPDATE batch_rows SET reveal_id = $2, shared = 1 WHERE reveal_id = $1",
                loser,
                winner
            )?;
            exec!(
                conn,
                "UPDATE row_waterfall SET reveal_id = $2 WHERE reveal_id = $1",
                loser,
                winner
            )?;
            exec!(
                conn,
                "UPDATE reveals SET state = 'idle', lane = NULL, due_at = NULL, updated_at = $2 WHERE id = $1",
                loser,
                now.0,
            )?;
        }
        Ok(winners)
    }
}

/// Whom rows show now that so far showed somebody who made way.
pub(crate) struct Merged {
    provider: Provider,
    winners: BTreeMap<i64, RevealState>,
}

impl Merged {
    /// What that means for these rows. All rows have to be written.
    pub(crate) async fn follow(
        self,
        conn: &mut Conn,
        totals: &mut Totals,
        now: Timestamp,
    ) -> Result<()> {
        let provider = self.provider;
        for (winner, state) in self.winners {
            match state {
                RevealState::Found => show_found(conn, totals, provider, &[winner], now).await?,
                RevealState::NotFound | RevealState::Failed => {
                    advance_waterfalls(conn, totals, provider, &[winner], state, now).await?;
                }
                _ => find_lanes(conn, totals, &[winner], now).await?,
            }
        }
        Ok(())
    }
}
