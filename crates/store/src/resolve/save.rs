//! Writing what resolving a chunk came to: new people, aliases, and people who turned out to be one.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use jobs::{Provider, RevealState, Timestamp};

use super::{Known, NewAlias, People, Place};
use crate::Result;
use crate::conn::{Conn, exec, rows};
use crate::each::{each, ints, same, same_text, shared, words};
use crate::lanes::find_lanes;
use crate::newcomers;
use crate::totals::Totals;
use crate::waterfall::{advance_waterfalls, show_found};

impl People {
    /// Writes what is new and what changed, with `batch`; merges are carried out on rows written earlier.
    pub(crate) async fn save(
        mut self,
        conn: &mut Conn,
        batch: i64,
        totals: &mut Totals,
        now: Timestamp,
    ) -> Result<Merged> {
        let winners = self.save_merges(conn, totals, now).await?;
        let winners =
            winners.into_iter().map(|place| (self.id(place), self.state(place))).collect();
        self.save_new(conn, batch, now).await?;
        self.wake(conn, now).await?;
        let newest: BTreeMap<&str, &NewAlias> =
            self.aliases.iter().map(|alias| (&*alias.identifier, alias)).collect();
        let newest: Vec<&NewAlias> = newest.into_values().collect();
        let columns = vec![
            ("provider", same_text(self.provider.as_str(), newest.len())),
            ("identifier", shared(newest.iter().map(|alias| Arc::clone(&alias.identifier)))),
            ("subject", shared(newest.iter().map(|alias| Arc::clone(&alias.subject)))),
        ];
        each(
            conn,
            "INSERT INTO aliases (provider, identifier, subject)
             SELECT e.provider, e.identifier, e.subject FROM ROWS WHERE TRUE
             ON CONFLICT (provider, identifier) DO UPDATE SET subject = excluded.subject",
            columns,
        )
        .await?;
        Ok(Merged { provider: self.provider, winners })
    }

    /// Whoever waited for nobody has their turn now; who was queued already stays in their lane.
    async fn wake(&self, conn: &mut Conn, now: Timestamp) -> Result<()> {
        let queued = |known: &&Known| !known.fresh && known.state == RevealState::Queued;
        let woken: Vec<&Known> = self.reveals.iter().filter(queued).collect();
        let columns = vec![
            ("id", ints(woken.iter().map(|known| known.id))),
            ("lane", ints(woken.iter().map(|known| known.lane))),
            ("now", same(now.0, woken.len())),
        ];
        each(
            conn,
            "UPDATE reveals SET state = 'queued', newcomer = 0, lane = e.lane, updated_at = e.now FROM ROWS
             WHERE reveals.id = e.id AND state = 'idle'",
            columns,
        )
        .await?;
        Ok(())
    }

    async fn save_new(&self, conn: &mut Conn, batch: i64, now: Timestamp) -> Result<()> {
        let all = (0..).map(Place).zip(&self.reveals);
        let mut fresh: Vec<(Place, &Known)> = Vec::with_capacity(self.reveals.len());
        fresh.extend(all.filter(|(_, known)| known.fresh));
        let state = |(place, known): &(Place, &Known)| {
            let gone = self.merged.contains_key(place);
            if gone { RevealState::Idle } else { known.state }
        };
        // Whoever takes the turn of somebody they turned out to be may stand in another batch's lane.
        let comes =
            |new: &(Place, &Known)| state(new) == RevealState::Queued && new.1.lane == Some(batch);
        let columns = vec![
            ("id", ints(fresh.iter().map(|(_, known)| known.id))),
            ("provider", same_text(self.provider.as_str(), fresh.len())),
            ("subject", shared(fresh.iter().map(|(_, known)| Arc::clone(&known.subject)))),
            ("generation", ints(fresh.iter().map(|(_, known)| known.generation))),
            ("state", words(fresh.iter().map(|known| Some(state(known).as_str())))),
            ("lane", ints(fresh.iter().map(|(_, known)| known.lane))),
            ("newcomer", ints(fresh.iter().map(|new| i64::from(comes(new))))),
            ("now", same(now.0, fresh.len())),
        ];
        each(
            conn,
            "INSERT INTO reveals (id, provider, subject, generation, state, lane, newcomer, updated_at)
             SELECT e.id, e.provider, e.subject, e.generation, e.state, e.lane, e.newcomer, e.now FROM ROWS",
            columns,
        )
        .await?;
        let mut coming = fresh.iter().filter(|new| comes(new)).map(|(_, known)| known.id);
        if let Some(first) = coming.next() {
            let last = coming.next_back().unwrap_or(first);
            newcomers::arrive(conn, batch, self.provider, first, last).await?;
        }
        Ok(())
    }

    /// Carries out merges on rows written earlier; returns whom those rows show now.
    async fn save_merges(
        &mut self,
        conn: &mut Conn,
        totals: &mut Totals,
        now: Timestamp,
    ) -> Result<HashSet<Place>> {
        let mut winners = HashSet::new();
        let losers: Vec<Place> = self.merged.keys().copied().collect();
        for place in losers {
            let winner = self.settled(place);
            let Known { id: loser, state, lane, fresh, .. } = self.reveals[place.0];
            if fresh {
                continue;
            }
            let rows: Vec<(i64, i64)> = rows!(
                conn,
                "SELECT batch_id, COUNT(*) FROM batch_rows
                 WHERE reveal_id = $1 AND ended IS NULL GROUP BY batch_id",
                loser,
            )?;
            if let (false, Some(lane)) = (rows.is_empty(), lane) {
                self.queue(winner, lane);
            }
            if !rows.is_empty() {
                winners.insert(winner);
            }
            let to = (self.provider, self.state(winner));
            for (batch, n) in rows {
                totals.moved(batch, (self.provider, state), to, n);
            }
            exec!(
                conn,
                "UPDATE batch_rows SET reveal_id = $2, shared = 1 WHERE reveal_id = $1",
                loser,
                self.id(winner),
            )?;
            exec!(
                conn,
                "UPDATE row_waterfall SET reveal_id = $2 WHERE reveal_id = $1",
                loser,
                self.id(winner),
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
