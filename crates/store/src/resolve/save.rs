//! Writing what resolving a chunk came to: new people, aliases, and people who turned out to be one.

use std::collections::BTreeMap;
use std::sync::Arc;

use jobs::{RevealState, Timestamp};

use super::{Known, NewAlias, People, Place};
use crate::Result;
use crate::conn::Conn;
use crate::each::{each, ints, same, same_text, shared, words};
use crate::newcomers;
use crate::totals::Totals;
use crate::transition::give_way;

impl People {
    /// Writes what is new and what changed, with `batch`. Merges are carried out once all rows are there.
    pub(crate) async fn save(self, conn: &mut Conn, batch: i64, now: Timestamp) -> Result<Merged> {
        let given_way = self.given_way();
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
        Ok(Merged { given_way })
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

    /// Those written earlier who make way, and for whom.
    fn given_way(&self) -> BTreeMap<i64, i64> {
        let written = self.merged.keys().filter(|place| !self.reveals[place.0].fresh);
        written.map(|place| (self.id(*place), self.id(self.settled(*place)))).collect()
    }
}

/// People written earlier who turned out to be others.
pub(crate) struct Merged {
    given_way: BTreeMap<i64, i64>,
}

impl Merged {
    /// Carries that out. All rows have to be written.
    pub(crate) async fn follow(
        self,
        conn: &mut Conn,
        totals: &mut Totals,
        now: Timestamp,
    ) -> Result<()> {
        give_way(conn, totals, &self.given_way, now).await
    }
}
