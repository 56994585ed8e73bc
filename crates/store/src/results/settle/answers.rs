//! Writes people's answers, and counts them for the rows that show the people.

use std::collections::BTreeMap;

use db::Conn;
use db::bulk::{ints, same, texts, write_ranges, write_rows};
use jobs::{Provider, RevealState, Timestamp};

use crate::decode::credits;
use crate::error::Result;
use crate::results::settle::ledger::Person;
use crate::reveals::counters::{Totals, count_rows};
use crate::reveals::displayed_rows::rows_showing;
use crate::reveals::transition::REVEAL;

/// The reveals that have another state now, in the order of their ids.
pub(super) struct Answers<'a>(Vec<Answer<'a>>);

/// A reveal's id, the person as they were, and the state now.
type Answer<'a> = (i64, &'a Person, RevealState);

impl<'a> Answers<'a> {
    pub(super) fn of(people: &'a BTreeMap<i64, Person>) -> Self {
        let answered =
            people.iter().filter_map(|(id, person)| Some((*id, person, person.new_state?)));
        Answers(answered.collect())
    }

    /// The ids of finished reveals, and of reveals that wait once more.
    pub(super) fn ids(&self) -> (Vec<i64>, Vec<i64>) {
        let (ended, waiting): (Vec<_>, Vec<_>) =
            self.0.iter().partition(|(_, _, to)| to.is_finished());
        let ids = |of: Vec<&Answer>| of.into_iter().map(|(id, ..)| *id).collect();
        (ids(ended), ids(waiting))
    }

    /// The ids of the reveals that move to each state, by provider.
    fn moves(&self) -> BTreeMap<(Provider, RevealState), Vec<i64>> {
        let mut moves: BTreeMap<_, Vec<i64>> = BTreeMap::new();
        for (id, person, to) in &self.0 {
            moves.entry((person.provider, *to)).or_default().push(*id);
        }
        moves
    }

    /// Counts the rows that show the reveals as leaving their state for another.
    pub(super) async fn count(&self, conn: &mut Conn, totals: &mut Totals) -> Result<()> {
        let awaited = |person: &Person| person.state == RevealState::Asked;
        let ids = self.0.iter().filter(|(_, person, _)| awaited(person)).map(|(id, ..)| *id);
        for row in rows_showing(conn, &ids.collect::<Vec<_>>()).await? {
            if let Ok(place) = self.0.binary_search_by_key(&row.reveal_id, |(id, ..)| *id) {
                let (_, person, to) = self.0[place];
                let provider = person.provider;
                totals.moved(row.batch_id, (provider, RevealState::Asked), (provider, to), 1);
            }
        }
        // Other reveals may have been moved since they were read, by what was learnt from these answers.
        let others = self.0.iter().filter(|(_, person, _)| !awaited(person)).copied().collect();
        for ((provider, to), ids) in Answers(others).moves() {
            count_rows(conn, totals, provider, &ids, to).await?;
        }
        Ok(())
    }

    /// Writes the new states.
    pub(super) async fn write(&self, conn: &mut Conn, now: Timestamp) -> Result<()> {
        let (back, ended): (Vec<&Answer>, Vec<&Answer>) =
            self.0.iter().partition(|(_, _, to)| *to == RevealState::Queued);
        let columns = vec![
            ("id", ints(ended.iter().map(|(id, ..)| *id))),
            ("found", ints(ended.iter().map(|(.., to)| i64::from(*to == RevealState::Found)))),
            ("credits", credits(ended.iter().map(|(_, person, _)| person.credits))),
            ("remark", texts(ended.iter().map(|(_, person, _)| person.remark.as_deref()))),
            ("now", same(now.0, ended.len())),
        ];
        write_ranges(
            conn,
            "UPDATE reveals SET state = CASE WHEN e.found = 1 THEN 'found' ELSE 'not_found' END, reason = e.remark,
                due_at = NULL, isolation_group = NULL, updated_at = e.now, credits = reveals.credits + e.credits,
                revealed_at = COALESCE(reveals.revealed_at, e.now)
             FROM ROWS WHERE reveals.id = e.id",
            &REVEAL,
            columns,
        )
        .await?;
        let columns = vec![
            ("id", ints(back.iter().map(|(id, ..)| *id))),
            ("credits", credits(back.iter().map(|(_, person, _)| person.credits))),
            ("now", same(now.0, back.len())),
        ];
        write_rows(
            conn,
            "UPDATE reveals SET state = 'queued', reason = 'credits_insufficient', due_at = NULL, isolation_group = NULL,
                updated_at = e.now, credits = reveals.credits + e.credits, revealed_at = NULL
             FROM ROWS WHERE reveals.id = e.id",
            columns,
        )
        .await?;
        Ok(())
    }
}
