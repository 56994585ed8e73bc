use std::collections::{BTreeSet, HashMap};

use jobs::{Provider, RevealState, Timestamp};
use serde::Serialize;

use super::last_poll::poll_first;
use super::{RetryStates, Row, RowChange};
use crate::Result;
use crate::conn::{Conn, exec, rows};
use crate::lanes::find_lanes;
use crate::resolve::Numbers;
use crate::totals::{Totals, json};
use crate::transition::{parse_provider, parse_state};
use crate::waterfall::displayed_step;

/// A reveal of somebody on one of the rows.
#[derive(Debug, Clone)]
pub(super) struct Reveal {
    pub(super) id: i64,
    pub(super) provider: Provider,
    pub(super) subject: String,
    pub(super) generation: i64,
    pub(super) state: RevealState,
    pub(super) call: Option<i64>,
    pub(super) tracked: bool,
    /// Made by this retry.
    pub(super) new: bool,
}

/// Everybody on the rows, with all their generations.
pub(super) struct People {
    states: RetryStates,
    reveals: HashMap<i64, Reveal>,
    newest: HashMap<(Provider, String), i64>,
}

type RevealRow = (i64, String, String, i64, String, Option<i64>, Option<String>);

impl People {
    pub(super) async fn read(conn: &mut Conn, rows: &[Row], states: RetryStates) -> Result<People> {
        let ids: BTreeSet<i64> =
            rows.iter().flat_map(|row| row.steps.iter().copied().chain([row.shown])).collect();
        let found: Vec<RevealRow> = rows!(
            conn,
            "SELECT id, provider, subject, generation, state, call_id,
                    (SELECT c.tracking_id FROM calls c WHERE c.id = reveals.call_id)
             FROM reveals WHERE id IN (
                SELECT n.id FROM IDS($1) AS e JOIN reveals o ON o.id = CAST(e.value AS BIGINT)
                JOIN reveals n ON n.provider = o.provider AND n.subject = o.subject)
             ORDER BY id FOR UPDATE",
            json(&ids),
        )?;
        let mut people = People { states, reveals: HashMap::new(), newest: HashMap::new() };
        for (id, provider, subject, generation, state, call, tracking_id) in found {
            people.remember(Reveal {
                id,
                provider: parse_provider(&provider, id)?,
                subject,
                generation,
                state: parse_state(&state, id)?,
                call,
                tracked: tracking_id.is_some(),
                new: false,
            });
        }
        Ok(people)
    }

    fn remember(&mut self, reveal: Reveal) {
        let newest = self.newest.entry((reveal.provider, reveal.subject.clone()));
        let newest = newest.or_insert(reveal.id);
        if self.reveals.get(newest).is_none_or(|other| other.generation <= reveal.generation) {
            *newest = reveal.id;
        }
        self.reveals.insert(reveal.id, reveal);
    }

    pub(super) fn get(&self, id: i64) -> Option<&Reveal> {
        self.reveals.get(&id)
    }

    /// The reveal that stands in the place of `id` from now on: itself, unless it is to be asked
    /// again; then a newer one that another batch has made already, else a new one.
    pub(super) fn again(&mut self, id: i64, numbers: &mut Numbers) -> i64 {
        let Some(old) = self.reveals.get(&id).filter(|old| self.states.asks_again(old.state))
        else {
            return id;
        };
        let newest = self.newest.get(&(old.provider, old.subject.clone())).copied().unwrap_or(id);
        let Some(newest) = self.reveals.get(&newest) else { return id };
        if !self.states.asks_again(newest.state) {
            return newest.id;
        }
        let new = Reveal {
            id: numbers.take(),
            generation: newest.generation + 1,
            state: RevealState::Idle,
            // Of what may have been paid for, the new call says what it repeats.
            call: newest.call.filter(|_| newest.state == RevealState::Expired),
            tracked: newest.tracked && newest.state == RevealState::Expired,
            new: true,
            ..newest.clone()
        };
        let id = new.id;
        self.remember(new);
        id
    }

    /// The step that a row shows.
    pub(super) fn shown(&self, steps: &[i64]) -> Option<i64> {
        let known = || steps.iter().filter_map(|id| self.reveals.get(id));
        let step = displayed_step(known().map(|reveal| reveal.state))?;
        known().nth(step).map(|reveal| reveal.id)
    }

    pub(super) async fn write_new(&self, conn: &mut Conn, now: Timestamp) -> Result<()> {
        #[derive(Serialize)]
        struct New<'a> {
            id: i64,
            provider: Provider,
            subject: &'a str,
            generation: i64,
            repeat_of: Option<i64>,
        }
        let mut new: Vec<New> = self
            .reveals
            .values()
            .filter(|reveal| reveal.new)
            .map(|reveal| New {
                id: reveal.id,
                provider: reveal.provider,
                subject: &reveal.subject,
                generation: reveal.generation,
                repeat_of: reveal.call,
            })
            .collect();
        new.sort_unstable_by_key(|reveal| reveal.id);
        exec!(
            conn,
            "INSERT INTO reveals (id, provider, subject, generation, state, repeat_of, updated_at)
             SELECT CAST(e.value->>'id' AS BIGINT), e.value->>'provider', e.value->>'subject',
                    CAST(e.value->>'generation' AS BIGINT), 'idle',
                    CAST(e.value->>'repeat_of' AS BIGINT), CAST($2 AS BIGINT)
             FROM EACH($1) AS e",
            json(&new),
            now.0,
        )?;
        Ok(())
    }

    /// Gives those whom rows show now, and who wait for nobody, their turn. Whose earlier request can
    /// be polled waits for that; returns how many.
    pub(super) async fn start(
        &self,
        conn: &mut Conn,
        totals: &mut Totals,
        changes: &[RowChange],
        now: Timestamp,
    ) -> Result<i64> {
        let (mut idle, mut polled) = (BTreeSet::new(), BTreeSet::new());
        for change in changes {
            let Some(reveal) = self.get(change.shown) else { continue };
            if reveal.state == RevealState::Idle {
                idle.insert(reveal.id);
            }
            if reveal.new && reveal.tracked && reveal.provider.can_be_polled() {
                polled.insert(reveal.id);
            }
        }
        find_lanes(conn, totals, &Vec::from_iter(idle), now).await?;
        for provider in Provider::ALL {
            let ids: Vec<i64> = polled
                .iter()
                .filter(|id| self.get(**id).is_some_and(|reveal| reveal.provider == provider))
                .copied()
                .collect();
            poll_first(conn, totals, provider, &ids, now).await?;
        }
        Ok(i64::try_from(polled.len()).unwrap_or(i64::MAX))
    }
}
