use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use db::bulk::{ints, same, texts, words, write_rows};
use db::{Conn, Ints, Texts, record};
use jobs::identity::Persons;
use jobs::identity::choice::{Standing, asked_by, counting_for_retry, next_generation};
use jobs::{Provider, RevealState, Timestamp};

use crate::batches::retry::rows::{RetryStates, Row, RowChange};
use crate::decode::{parse_provider, parse_state};
use crate::error::Result;
use crate::people::links::evidence::persons_of;
use crate::people::resolve::RevealIds;
use crate::results::last_poll::poll_first;
use crate::reveals::counters::Totals;
use crate::reveals::displayed_rows::without_mobile;
use crate::reveals::ownership::assign_owners;
use crate::reveals::waterfall::{Step, displayed_step, kept_step, waits};

/// A reveal of a person on one of the rows.
#[derive(Debug, Clone)]
pub(super) struct Reveal {
    pub(super) id: i64,
    pub(super) provider: Provider,
    pub(super) subject: Arc<str>,
    pub(super) generation: i64,
    pub(super) state: RevealState,
    pub(super) revealed_at: Option<Timestamp>,
    pub(super) call: Option<i64>,
    pub(super) tracked: bool,
    /// Made by this retry.
    pub(super) new: bool,
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

/// All people on the rows, with all their generations.
pub(super) struct People {
    states: RetryStates,
    /// Reveals that were found, but only with numbers of another type than the batch wants.
    lacking: BTreeSet<i64>,
    persons: Persons,
    reveals: HashMap<i64, Reveal>,
    /// By provider and subject, all generations.
    by_subject: HashMap<(Provider, Arc<str>), Vec<i64>>,
}

record! {
    /// A reveal, with the tracking id of its call.
    struct RevealRow {
        id: i64,
        provider: String,
        subject: String,
        generation: i64,
        state: String,
        revealed_at: Option<i64>,
        call_id: Option<i64>,
        tracking_id: Option<String>,
    }
}

impl People {
    pub(super) async fn read(
        conn: &mut Conn,
        batch: i64,
        rows: &[Row],
        states: RetryStates,
    ) -> Result<People> {
        let ids: BTreeSet<i64> =
            rows.iter().flat_map(|row| row.steps.iter().copied().chain([row.shown])).collect();
        let subjects = subjects_of(conn, &ids).await?;
        let persons = persons_of(conn, subjects).await?;
        let mut people = People {
            states,
            lacking: BTreeSet::new(),
            persons,
            reveals: HashMap::new(),
            by_subject: HashMap::new(),
        };
        for found in people.look_up(conn, &ids).await? {
            people.remember(found);
        }
        let wants: i64 =
            conn.fetch_value("SELECT wants_mobile FROM batches WHERE id = $1", &[&batch]).await?;
        let found = people.reveals.keys().copied().filter(|_| wants == 1);
        people.lacking = without_mobile(conn, found).await?;
        Ok(people)
    }

    /// Returns all reveals of the people in `ids`, under any identifier.
    async fn look_up(&self, conn: &mut Conn, ids: &BTreeSet<i64>) -> Result<Vec<Reveal>> {
        let others: Vec<&Arc<str>> = self.persons.all().iter().flatten().collect();
        let mut all = ids.clone();
        for provider in Provider::ALL {
            let found: Vec<(i64,)> = conn.fetch_all(
                "SELECT r.id FROM TEXTS($1) AS e JOIN reveals r ON r.provider = $2 AND r.subject = e.value",
                &[&Texts::of(&others), &provider.as_str()],
            )
            .await?;
            all.extend(found.into_iter().map(|(id,)| id));
        }
        let found: Vec<RevealRow> = conn
            .fetch_all(
                "SELECT id, provider, subject, generation, state, revealed_at, call_id,
                        (SELECT c.tracking_id FROM calls c WHERE c.id = reveals.call_id) AS tracking_id
                 FROM reveals WHERE id IN (
                    SELECT n.id FROM IDS($1) AS e JOIN reveals o ON o.id = e.value
                    JOIN reveals n ON n.provider = o.provider AND n.subject = o.subject)
                 ORDER BY id FOR UPDATE",
                &[&Ints::of(&all)],
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
                call: row.call_id,
                tracked: row.tracking_id.is_some(),
                new: false,
            })
        };
        found.into_iter().map(reveal).collect()
    }

    fn remember(&mut self, reveal: Reveal) {
        let key = (reveal.provider, Arc::clone(&reveal.subject));
        self.by_subject.entry(key).or_default().push(reveal.id);
        self.reveals.insert(reveal.id, reveal);
    }

    pub(super) fn get(&self, id: i64) -> Option<&Reveal> {
        self.reveals.get(&id)
    }

    /// Returns the reveal that takes the place of `id` from now on. That is `id` itself, unless it is to be asked again.
    /// Otherwise it is a reveal of the same person, under any identifier, that is answered or under way, else a new reveal.
    pub(super) fn again(&mut self, id: i64, ids: &mut RevealIds) -> i64 {
        let Some(old) = self.reveals.get(&id).filter(|old| self.states.asks_again(old.state))
        else {
            return id;
        };
        let members = self.persons.with(&old.subject);
        let of_member =
            |member: &Arc<str>| self.by_subject.get(&(old.provider, Arc::clone(member)));
        let all: Vec<&Reveal> = members
            .iter()
            .filter_map(of_member)
            .flatten()
            .filter_map(|id| self.reveals.get(id))
            .collect();
        let standings: Vec<Standing> = all.iter().map(|reveal| reveal.standing()).collect();
        if let Some(best) = counting_for_retry(&standings, |state| self.states.asks_again(state)) {
            return best.id;
        }
        // An expired reveal may have been paid for, so the new reveal notes the call that it repeats.
        let expired = all.iter().filter(|reveal| reveal.state == RevealState::Expired);
        let repeated = expired.max_by_key(|reveal| reveal.generation);
        let new = Reveal {
            id: ids.take(),
            provider: old.provider,
            subject: match old.state {
                RevealState::Failed => {
                    Arc::clone(asked_by(old.provider, &old.subject, members, &standings))
                }
                _ => Arc::clone(&old.subject),
            },
            generation: next_generation(&standings),
            state: RevealState::Idle,
            revealed_at: None,
            call: repeated.and_then(|reveal| reveal.call),
            tracked: repeated.is_some_and(|reveal| reveal.tracked),
            new: true,
        };
        let id = new.id;
        self.remember(new);
        id
    }

    /// Returns the reveal that a row with these steps shows, and the reveal whose numbers it shows in addition.
    pub(super) fn shown(&self, steps: &[i64]) -> Option<(i64, Option<i64>)> {
        let known: Vec<&Reveal> = steps.iter().filter_map(|id| self.reveals.get(id)).collect();
        let stands = |reveal: &&Reveal| Step {
            state: reveal.state,
            lacks: self.lacking.contains(&reveal.id),
        };
        let shown = known.get(displayed_step(known.iter().map(stands))?)?;
        let kept = kept_step(known.iter().map(stands)).and_then(|nth| known.get(nth));
        Some((shown.id, kept.map(|reveal| reveal.id)))
    }

    pub(super) async fn write_new(&self, conn: &mut Conn, now: Timestamp) -> Result<()> {
        let mut new: Vec<&Reveal> = self.reveals.values().filter(|reveal| reveal.new).collect();
        new.sort_unstable_by_key(|reveal| reveal.id);
        let columns = vec![
            ("id", ints(new.iter().map(|reveal| reveal.id))),
            ("provider", words(new.iter().map(|reveal| Some(reveal.provider.as_str())))),
            ("subject", texts(new.iter().map(|reveal| Some(&*reveal.subject)))),
            ("generation", ints(new.iter().map(|reveal| reveal.generation))),
            ("repeat_of", ints(new.iter().map(|reveal| reveal.call))),
            ("now", same(now.0, new.len())),
        ];
        write_rows(
            conn,
            "INSERT INTO reveals (id, provider, subject, generation, state, repeat_of, updated_at)
             SELECT e.id, e.provider, e.subject, e.generation, 'idle', e.repeat_of, e.now FROM ROWS",
            columns,
        )
        .await?;
        Ok(())
    }

    /// Assigns the people that rows display now to the batches that are served soonest. Some people were idle, others were
    /// owned by a batch of a lower priority or by a batch whose submit died. A person whose earlier request can be polled
    /// waits for the poll. Returns how many people wait for a poll.
    pub(super) async fn start(
        &self,
        conn: &mut Conn,
        totals: &mut Totals,
        changes: &[RowChange],
        now: Timestamp,
    ) -> Result<i64> {
        let (mut waiting, mut polled) = (BTreeSet::new(), BTreeSet::new());
        for change in changes {
            let Some(reveal) = self.get(change.shown) else { continue };
            if waits(reveal.state) {
                waiting.insert(reveal.id);
            }
            if reveal.new && reveal.tracked && reveal.provider.can_be_polled() {
                polled.insert(reveal.id);
            }
        }
        assign_owners(conn, totals, &Vec::from_iter(waiting), now).await?;
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

async fn subjects_of(conn: &mut Conn, ids: &BTreeSet<i64>) -> Result<Vec<Arc<str>>> {
    let subjects: Vec<(String,)> = conn
        .fetch_all(
            "SELECT r.subject FROM IDS($1) AS e JOIN reveals r ON r.id = e.value",
            &[&Ints::of(ids)],
        )
        .await?;
    Ok(subjects.into_iter().map(|(subject,)| subject.into()).collect())
}
