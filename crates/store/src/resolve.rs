//! From the identifiers on a row to the reveal that answers it: shared where the person is known,
//! new where not. Runs under the lock on `reveal_numbers`, so that nobody makes the same person twice.

mod save;
mod sharing;
mod turns;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;
use jobs::{Provider, RevealState, Timestamp};

pub(crate) use self::save::Merged;
pub(crate) use self::sharing::{is_outdated, is_worth_waiting_for, preference};
use crate::aliases::aliases_of;
use crate::conn::{Conn, exec, row, rows};
use crate::texts::Texts;
use crate::{Result, StoreError};

/// A reveal as far as sharing is concerned.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) id: i64,
    pub(crate) state: RevealState,
    subject: Arc<str>,
    generation: i64,
    revealed_at: Option<Timestamp>,
    lane: Option<i64>,
    fresh: bool,
}

/// A reveal of a chunk, by its place among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Place(usize);

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
    reveals: Vec<Known>,
    /// By subject: the reveal that counts.
    newest: Map<Arc<str>, Place>,
    aliases: Vec<NewAlias>,
    merged: Map<Place, Place>,
    /// By subject: a newer generation that was made and never sent.
    unsent: Map<Arc<str>, Known>,
    /// Those whose turn was to come with a batch that nobody sees yet, and comes with another now.
    taken_over: Vec<i64>,
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
        identifiers: &[&Arc<str>],
        refresh_before: Option<Timestamp>,
    ) -> Result<People> {
        let mut people = People {
            provider,
            refresh_before,
            subjects: Map::default(),
            reveals: Vec::with_capacity(identifiers.len()),
            newest: Map::with_capacity_and_hasher(identifiers.len(), RandomState::default()),
            aliases: Vec::new(),
            merged: Map::default(),
            unsent: Map::default(),
            taken_over: Vec::new(),
        };
        let mut wanted = Texts::shared(identifiers.iter().copied().cloned());
        let known = aliases_of(conn, provider, &wanted).await?;
        if !known.is_empty() {
            let subjects = known.iter().map(|(_, subject)| subject.as_str());
            let all: BTreeSet<&str> =
                identifiers.iter().map(|identifier| &***identifier).chain(subjects).collect();
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
        let Some(&before) = self.newest.get(&found.subject) else {
            self.put(found);
            return Ok(());
        };
        let before = &self.reveals[before.0];
        match (before.state == RevealState::Idle, state == RevealState::Idle) {
            // A refresh that was never sent does not hide the answer before it.
            (false, true) if before.generation < generation => {
                self.unsent.insert(found.subject.clone(), found);
            }
            _ if before.generation < generation => {
                self.put(found);
            }
            _ => {}
        }
        Ok(())
    }

    fn put(&mut self, known: Known) -> Place {
        let place = Place(self.reveals.len());
        self.newest.insert(Arc::clone(&known.subject), place);
        self.reveals.push(known);
        place
    }

    /// The reveal for a row with `identifiers`, to be asked by one of them; and whether it is new.
    pub(crate) fn resolve(
        &mut self,
        identifiers: &[Arc<str>],
        asks_by: &Arc<str>,
        numbers: &mut Numbers,
    ) -> (Place, bool) {
        let behind = self.behind(identifiers);
        let best = behind.iter().copied().max_by_key(|place| preference(self.state(*place)));
        let subject = best.map_or(asks_by, |place| self.subject(place)).clone();
        self.note_aliases(&subject, identifiers, &behind);
        let known = best.map(|place| (place, &self.reveals[place.0]));
        let (place, new) = match known {
            Some((place, known))
                if !is_outdated(known.state, known.revealed_at, self.refresh_before) =>
            {
                (place, false)
            }
            other => {
                let generation = other.map_or(0, |(_, known)| known.generation + 1);
                (self.create(subject, generation, numbers), true)
            }
        };
        for other in behind {
            self.merge(other, place);
        }
        (place, new)
    }

    /// The reveal that is, or will be, worth waiting for behind any of `identifiers`.
    pub(crate) fn find(&self, identifiers: &[Arc<str>]) -> Option<Place> {
        self.behind(identifiers)
            .into_iter()
            .filter(|place| is_worth_waiting_for(self.state(*place)))
            .max_by_key(|place| preference(self.state(*place)))
    }

    /// The reveals behind identifiers, from alias to alias, in their subjects' order.
    fn behind(&self, identifiers: &[Arc<str>]) -> Vec<Place> {
        let mut behind: Vec<Place> = Vec::new();
        let mut reached: Vec<&Arc<str>> = Vec::new();
        let mut next = 0;
        while let Some(identifier) =
            identifiers.get(next).or_else(|| reached.get(next - identifiers.len()).copied())
        {
            next += 1;
            behind.extend(self.newest.get(identifier));
            for subject in self.subjects.get(identifier).into_iter().flatten() {
                if !identifiers.contains(subject) && !reached.contains(&subject) {
                    reached.push(subject);
                }
            }
        }
        behind.sort_unstable_by(|a, b| self.subject(*a).cmp(self.subject(*b)));
        behind.dedup();
        behind
    }

    fn create(&mut self, subject: Arc<str>, generation: i64, numbers: &mut Numbers) -> Place {
        if let Some(unsent) = self.unsent.remove(&subject) {
            return self.put(unsent);
        }
        self.put(Known {
            id: numbers.take(),
            state: RevealState::Idle,
            subject,
            generation,
            revealed_at: None,
            lane: None,
            fresh: true,
        })
    }

    fn note_aliases(&mut self, subject: &Arc<str>, identifiers: &[Arc<str>], behind: &[Place]) {
        let known = behind.iter().map(|place| &self.reveals[place.0].subject);
        for identifier in identifiers.iter().chain(known) {
            if identifier == subject {
                continue;
            }
            let subjects = self.subjects.entry(Arc::clone(identifier)).or_default();
            if subjects.insert(Arc::clone(subject)) {
                let (identifier, subject) = (Arc::clone(identifier), Arc::clone(subject));
                self.aliases.push(NewAlias { identifier, subject });
            }
        }
    }

    /// A row shows that two reveals are one person: the one that was not sent yet makes way.
    fn merge(&mut self, loser: Place, winner: Place) {
        let waits = matches!(
            self.state(loser),
            RevealState::Idle | RevealState::Queued | RevealState::Retrying
        );
        if waits && loser != winner {
            self.merged.insert(loser, winner);
        }
    }

    /// Whether nobody turned out to be somebody else: rows written earlier stay as they are.
    pub(crate) fn are_all_apart(&self) -> bool {
        self.merged.is_empty()
    }

    /// What a reveal that was handed out earlier has become after merging.
    pub(crate) fn settled(&self, mut place: Place) -> Place {
        // Each step leads to a reveal made or preferred later, and the map is finite.
        for _ in 0..=self.merged.len() {
            match self.merged.get(&place) {
                Some(&winner) if winner != place => place = winner,
                _ => break,
            }
        }
        place
    }

    fn subject(&self, place: Place) -> &Arc<str> {
        &self.reveals[place.0].subject
    }

    pub(crate) fn id(&self, place: Place) -> i64 {
        self.reveals[place.0].id
    }

    pub(crate) fn state(&self, place: Place) -> RevealState {
        self.reveals[place.0].state
    }
}
