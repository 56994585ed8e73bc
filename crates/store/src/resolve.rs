//! From the identifiers on a row to the reveal that answers it: shared where the person is known,
//! new where not. Runs under the lock on `reveal_numbers`, so that nobody makes the same person twice.

mod save;
mod sharing;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;
use jobs::{Provider, RevealState, Timestamp};

pub(crate) use self::sharing::{is_outdated, is_worth_waiting_for, preference};
use crate::aliases::aliases_of;
use crate::conn::{Conn, exec, row, rows};
use crate::texts::Texts;
use crate::{Result, StoreError};

/// A reveal as far as sharing is concerned.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) id: i64,
    pub(crate) state: RevealState,
    subject: Arc<str>,
    generation: i64,
    revealed_at: Option<Timestamp>,
    lane: Option<i64>,
    fresh: bool,
}

#[derive(Debug)]
struct NewAlias {
    identifier: Arc<str>,
    subject: Arc<str>,
}

/// Looked into for each row of a file, which may have millions.
type Map<K, V> = HashMap<K, V, RandomState>;

/// Everything that is known, or becomes known, about the people of one chunk at one provider.
pub(crate) struct People {
    provider: Provider,
    refresh_before: Option<Timestamp>,
    /// By identifier: the subjects that are known behind it, beside itself.
    subjects: Map<Arc<str>, BTreeSet<Arc<str>>>,
    /// By subject.
    reveals: Map<Arc<str>, Known>,
    by_id: Map<i64, Arc<str>>,
    aliases: Vec<NewAlias>,
    merged: Map<i64, i64>,
    /// By subject: a newer generation that was made and never sent.
    unsent: Map<Arc<str>, Known>,
}

/// Hands out numbers for new reveals; holding it is the lock that keeps submits apart.
pub(crate) struct Numbers {
    next: i64,
}

impl Numbers {
    pub(crate) async fn lock(conn: &mut Conn) -> Result<Numbers> {
        let next: Option<(i64,)> =
            row!(conn, "SELECT next FROM reveal_numbers WHERE one = 1 FOR UPDATE")?;
        let (next,) = next.ok_or_else(|| StoreError::NotFound("reveal_numbers is empty".into()))?;
        Ok(Numbers { next })
    }

    pub(crate) fn take(&mut self) -> i64 {
        self.next += 1;
        self.next - 1
    }

    pub(crate) async fn save(self, conn: &mut Conn) -> Result<()> {
        exec!(conn, "UPDATE reveal_numbers SET next = $1 WHERE one = 1", self.next)?;
        Ok(())
    }
}

type RevealRow = (i64, String, i64, String, Option<i64>, Option<i64>);

impl People {
    /// Looks up `identifiers` and whatever stands behind them.
    pub(crate) async fn look_up(
        conn: &mut Conn,
        provider: Provider,
        identifiers: &[&str],
        refresh_before: Option<Timestamp>,
    ) -> Result<People> {
        let mut people = People {
            provider,
            refresh_before,
            subjects: Map::default(),
            reveals: Map::default(),
            by_id: Map::default(),
            aliases: Vec::new(),
            merged: Map::default(),
            unsent: Map::default(),
        };
        let mut wanted = Texts::of(identifiers);
        let known = aliases_of(conn, provider, &wanted).await?;
        if !known.is_empty() {
            let subjects = known.iter().map(|(_, subject)| subject.as_str());
            let all: BTreeSet<&str> = identifiers.iter().copied().chain(subjects).collect();
            wanted = Texts::of(all);
        }
        // Locked, so that their state holds until the rows that show it are counted.
        let found: Vec<RevealRow> = rows!(
            conn,
            "SELECT r.id, r.subject, r.generation, r.state, r.revealed_at, r.lane FROM TEXTS($1) AS e
             JOIN reveals r ON r.provider = $2 AND r.subject = e.value
             ORDER BY r.id FOR UPDATE",
            wanted,
            provider.as_str(),
        )?;
        for row in found {
            people.remember(row)?;
        }
        for (identifier, subject) in known {
            people.subjects.entry(identifier.into()).or_default().insert(subject.into());
        }
        Ok(people)
    }

    fn remember(
        &mut self,
        (id, subject, generation, state, revealed_at, lane): RevealRow,
    ) -> Result<()> {
        let state: RevealState = state.parse().map_err(|_| StoreError::Corrupt {
            table: "reveals",
            column: "state",
            row: id.to_string(),
            value: state.clone(),
        })?;
        let subject = subject.into();
        let revealed_at = revealed_at.map(Timestamp);
        let found = Known { id, state, subject, generation, revealed_at, lane, fresh: false };
        let Some(before) = self.reveals.get(&found.subject) else {
            self.put(found);
            return Ok(());
        };
        match (before.state == RevealState::Idle, state == RevealState::Idle) {
            // A refresh that was never sent does not hide the answer before it.
            (false, true) if before.generation < generation => {
                self.unsent.insert(found.subject.clone(), found);
            }
            _ if before.generation < generation => self.put(found),
            _ => {}
        }
        Ok(())
    }

    fn put(&mut self, known: Known) {
        self.by_id.insert(known.id, known.subject.clone());
        self.reveals.insert(known.subject.clone(), known);
    }

    /// The reveal for a row with `identifiers`, the one to ask by first; and whether it is new.
    pub(crate) fn resolve(&mut self, identifiers: &[String], numbers: &mut Numbers) -> (i64, bool) {
        let known = self.behind(identifiers);
        let best = known
            .iter()
            .max_by_key(|subject| self.reveals.get(*subject).map(|known| preference(known.state)))
            .cloned();
        let first = || identifiers.first().map(String::as_str).unwrap_or_default().into();
        let subject = best.unwrap_or_else(first);
        self.note_aliases(&subject, identifiers, &known);
        let (id, new) = match self.reveals.get(&subject) {
            Some(known) if !is_outdated(known.state, known.revealed_at, self.refresh_before) => {
                (known.id, false)
            }
            other => {
                let generation = other.map_or(0, |known| known.generation + 1);
                (self.create(subject, generation, numbers), true)
            }
        };
        for other in known {
            self.merge(&other, id);
        }
        (id, new)
    }

    /// The reveal that is, or will be, worth waiting for behind any of `identifiers`.
    pub(crate) fn find(&self, identifiers: &[String]) -> Option<i64> {
        self.behind(identifiers)
            .iter()
            .filter_map(|subject| self.reveals.get(subject))
            .filter(|known| is_worth_waiting_for(known.state))
            .max_by_key(|known| preference(known.state))
            .map(|known| known.id)
    }

    /// The subjects behind identifiers, from alias to alias.
    fn behind(&self, identifiers: &[String]) -> BTreeSet<Arc<str>> {
        let mut behind = BTreeSet::new();
        let mut seen: Vec<&str> = identifiers.iter().map(String::as_str).collect();
        let mut next = 0;
        while let Some(&identifier) = seen.get(next) {
            next += 1;
            behind.extend(self.reveals.get(identifier).map(|known| Arc::clone(&known.subject)));
            for subject in self.subjects.get(identifier).into_iter().flatten() {
                if !seen.contains(&&**subject) {
                    seen.push(subject);
                }
            }
        }
        behind
    }

    fn create(&mut self, subject: Arc<str>, generation: i64, numbers: &mut Numbers) -> i64 {
        if let Some(unsent) = self.unsent.remove(&subject) {
            let id = unsent.id;
            self.put(unsent);
            return id;
        }
        let id = numbers.take();
        self.by_id.insert(id, subject.clone());
        self.reveals.insert(
            subject.clone(),
            Known {
                id,
                state: RevealState::Idle,
                subject,
                generation,
                revealed_at: None,
                lane: None,
                fresh: true,
            },
        );
        id
    }

    fn note_aliases(
        &mut self,
        subject: &Arc<str>,
        identifiers: &[String],
        known: &BTreeSet<Arc<str>>,
    ) {
        let known = known.iter().map(|subject| &**subject);
        for identifier in identifiers.iter().map(String::as_str).chain(known) {
            if identifier == &**subject {
                continue;
            }
            let identifier: Arc<str> = identifier.into();
            let subjects = self.subjects.entry(Arc::clone(&identifier)).or_default();
            if subjects.insert(Arc::clone(subject)) {
                self.aliases.push(NewAlias { identifier, subject: Arc::clone(subject) });
            }
        }
    }

    /// A row shows that two reveals are one person: the one that was not sent yet makes way.
    fn merge(&mut self, loser: &str, winner: i64) {
        if let Some(known) = self.reveals.get_mut(loser)
            && known.id != winner
            && matches!(
                known.state,
                RevealState::Idle | RevealState::Queued | RevealState::Retrying
            )
        {
            self.merged.insert(known.id, winner);
        }
    }

    /// What a reveal that was handed out earlier has become after merging.
    pub(crate) fn settled_id(&self, mut id: i64) -> i64 {
        // Each step leads to a reveal made or preferred later, and the map is finite.
        for _ in 0..=self.merged.len() {
            match self.merged.get(&id) {
                Some(&winner) if winner != id => id = winner,
                _ => break,
            }
        }
        id
    }

    /// The state of a reveal of this chunk, by its number.
    pub(crate) fn state(&self, id: i64) -> RevealState {
        self.known(id).map_or(RevealState::Idle, |known| known.state)
    }

    fn known(&self, id: i64) -> Option<&Known> {
        self.by_id
            .get(&id)
            .and_then(|subject| self.reveals.get(subject))
            .filter(|known| known.id == id)
    }

    /// Lets a person who so far waited for nobody have their turn with `batch`; whether it was so.
    pub(crate) fn queue(&mut self, id: i64, batch: i64) -> bool {
        if let Some(subject) = self.by_id.get(&id)
            && let Some(known) = self.reveals.get_mut(subject)
            && known.id == id
            && known.state == RevealState::Idle
        {
            known.state = RevealState::Queued;
            known.lane = Some(batch);
            return true;
        }
        false
    }

    /// Those who were known before and wait for nobody.
    pub(crate) fn idle(&self) -> impl Iterator<Item = i64> {
        let idle = |known: &&Known| !known.fresh && known.state == RevealState::Idle;
        self.reveals.values().filter(idle).map(|known| known.id)
    }

    /// The batches in whose turn the queued among `ids` are sent.
    pub(crate) fn lanes(&self, ids: &HashSet<i64>) -> HashMap<i64, i64> {
        ids.iter()
            .filter_map(|id| self.known(*id))
            .filter(|known| !known.fresh)
            .filter(|known| matches!(known.state, RevealState::Queued | RevealState::Retrying))
            .filter_map(|known| Some((known.id, known.lane?)))
            .collect()
    }
}
