//! Resolves the identifiers on a row to the reveal that answers it: a shared reveal if the person is known, else a new one.
//! This runs under the lock on `reveal_ids`, so that the same person is not made twice.

mod locked_reveals;
mod save;
mod sharing;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use db::{Conn, Texts};
use foldhash::fast::RandomState;
use jobs::identity::choice::{
    Standing, asked_by, counting, gives_way, is_worth_waiting_for, next_generation,
};
use jobs::identity::{Persons, is_address};
use jobs::lookup::is_to_be_looked_up;
use jobs::{IdentifierKind, Provider, RevealState, Timestamp};
use smallvec::SmallVec;

use crate::decode::parse_state;
use crate::error::{Result, StoreError};
use crate::people::new_row::NewRow;
use crate::people::resolve::locked_reveals::lock_reveals;
use crate::people::suppression_list::SuppressionVersion;
use crate::reveals::waterfall::waits;

/// A reveal, as far as it matters for sharing.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) id: i64,
    pub(crate) state: RevealState,
    subject: Arc<str>,
    generation: i64,
    revealed_at: Option<Timestamp>,
    owner: Option<i64>,
    fresh: bool,
    /// The reveal was idle and is queued now.
    woken: bool,
}

/// A reveal of a chunk, as its index in `People::reveals`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place(usize);

type Places = SmallVec<[Place; 2]>;

/// A map with a fast hasher, since it is read for each row of a file that may have millions of rows.
type Map<K, V> = HashMap<K, V, RandomState>;

/// Everything that is known, or becomes known, about the people of one chunk at one provider.
pub(crate) struct People {
    provider: Provider,
    refresh_before: Option<Timestamp>,
    reveals: Vec<Known>,
    /// All generations of each subject.
    by_subject: Map<Arc<str>, Places>,
    /// Reveals that turned out to be the same person as another reveal and are to give way to it.
    merges: BTreeMap<i64, Place>,
    /// Known reveals that a refresh shares. They get a later generation than the reveals that the refresh finds outdated.
    raised: BTreeSet<Place>,
    /// Reveals taken over from batches that still load.
    taken_over: Vec<i64>,
}

/// Hands out ids for new reveals. A transaction that has one holds the lock that serialises submits.
pub(crate) struct RevealIds {
    next: i64,
    /// The suppression list as this lock's holder sees it.
    pub(crate) suppressions: SuppressionVersion,
}

impl RevealIds {
    pub(crate) async fn lock(conn: &mut Conn) -> Result<RevealIds> {
        let found: Option<(i64, i64)> = conn
            .fetch_optional(
                "SELECT next, suppression_version FROM reveal_ids WHERE one = 1 FOR UPDATE",
                &[],
            )
            .await?;
        let (next, version) =
            found.ok_or_else(|| StoreError::NotFound("reveal_ids is empty".into()))?;
        Ok(RevealIds { next, suppressions: SuppressionVersion(version) })
    }

    pub(crate) fn take(&mut self) -> i64 {
        self.next += 1;
        self.next - 1
    }

    pub(crate) async fn save(self, conn: &mut Conn) -> Result<()> {
        conn.execute("UPDATE reveal_ids SET next = $1 WHERE one = 1", &[&self.next]).await?;
        Ok(())
    }
}

impl Known {
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

impl People {
    /// Looks up the reveals of `identifiers`, which must be all identifiers of the chunk's people.
    pub(crate) async fn look_up(
        conn: &mut Conn,
        provider: Provider,
        identifiers: &[&Arc<str>],
        refresh_before: Option<Timestamp>,
    ) -> Result<People> {
        let many = identifiers.len();
        let mut people = People {
            provider,
            refresh_before,
            reveals: Vec::with_capacity(many),
            by_subject: Map::with_capacity_and_hasher(many, RandomState::default()),
            merges: BTreeMap::new(),
            raised: BTreeSet::new(),
            taken_over: Vec::new(),
        };
        let subjects = Texts::shared(identifiers.iter().copied().cloned());
        for row in lock_reveals(conn, provider, subjects).await? {
            people.put(Known {
                id: row.id,
                state: parse_state(&row.state, row.id)?,
                subject: row.subject.into(),
                generation: row.generation,
                revealed_at: row.revealed_at.map(Timestamp),
                owner: row.owner,
                fresh: false,
                woken: false,
            });
        }
        Ok(people)
    }

    fn put(&mut self, known: Known) -> Place {
        let place = Place(self.reveals.len());
        self.by_subject.entry(Arc::clone(&known.subject)).or_default().push(place);
        self.reveals.push(known);
        place
    }

    /// Returns the reveal for a row that asks by one of its identifiers, and whether the reveal is new.
    pub(crate) fn resolve(
        &mut self,
        row: &NewRow,
        asks_by: &Arc<str>,
        persons: &Persons,
        ids: &mut RevealIds,
    ) -> (Place, bool) {
        let anchors = self.anchors(row, asks_by);
        for anchor in &anchors {
            let places = self.behind(persons.with(anchor));
            let Some(place) = self.counting(&places) else { continue };
            if !self.knows_better(place, asks_by) {
                return (place, false);
            }
            let new = self.create(asks_by, persons.with(anchor), ids);
            self.merges.insert(self.id(place), new);
            return (new, true);
        }
        let known: SmallVec<[Arc<str>; 4]> =
            anchors.iter().flat_map(|anchor| persons.with(anchor)).cloned().collect();
        (self.create(asks_by, &known, ids), true)
    }

    /// Returns whether the row has the id that a waiting reveal still has to look up. The row then asks by that id at once.
    fn knows_better(&self, place: Place, asks_by: &Arc<str>) -> bool {
        let Known { subject, state, .. } = self.known(place);
        waits(*state)
            && is_to_be_looked_up(self.provider, subject)
            && !is_to_be_looked_up(self.provider, asks_by)
    }

    /// Returns the identifiers that decide which person a row is about, strongest first: the id at the provider alone if the
    /// row has it, else its other ids, then the address by which it asks.
    fn anchors<'r>(&self, row: &'r NewRow, asks_by: &'r Arc<str>) -> SmallVec<[&'r Arc<str>; 3]> {
        let own = self.provider.asks_by().first().copied();
        if row.identifiers.len() == 1 || IdentifierKind::of_encoded(asks_by) == own {
            return SmallVec::from_slice(&[asks_by]);
        }
        in_strength(row).collect()
    }

    fn counting(&mut self, places: &[Place]) -> Option<Place> {
        if places.is_empty() {
            return None;
        }
        let all: Vec<Standing> = places.iter().map(|place| self.known(*place).standing()).collect();
        let winner = counting(&all, self.refresh_before)?;
        let losers: Vec<i64> =
            all.iter().filter(|it| gives_way(it, &winner)).map(|it| it.id).collect();
        let is_newest =
            all.iter().all(|it| it.id == winner.id || it.generation < winner.generation);
        let raised = (self.refresh_before.is_some() && !winner.state.is_finished() && !is_newest)
            .then(|| next_generation(&all));
        let nth = all.iter().position(|it| it.id == winner.id)?;
        let place = places[nth];
        self.merges.extend(losers.into_iter().map(|loser| (loser, place)));
        if let Some(generation) = raised {
            self.reveals[place.0].generation = generation;
            self.raised.insert(place);
        }
        Some(place)
    }

    /// Returns the reveal behind a row's identifiers that is found or worth waiting for.
    pub(crate) fn find(&self, row: &NewRow, persons: &Persons) -> Option<Place> {
        in_strength(row).find_map(|anchor| {
            let mut places = self.behind(persons.with(anchor));
            places.retain(|place| self.is_shared_at(*place));
            let all: Vec<Standing> =
                places.iter().map(|place| self.known(*place).standing()).collect();
            let best = counting(&all, None)?;
            let nth = all.iter().position(|it| it.id == best.id)?;
            Some(places[nth])
        })
    }

    /// Returns whether a row that can't ask the provider shares this reveal, which another row asks for. A reveal that is yet
    /// to be looked up isn't shared, since not every batch wants lookups.
    fn is_shared_at(&self, place: Place) -> bool {
        let Known { subject, state, .. } = self.known(place);
        let looked_up = *state == RevealState::Found || !is_to_be_looked_up(self.provider, subject);
        looked_up && is_worth_waiting_for(*state)
    }

    fn behind(&self, person: &[Arc<str>]) -> Places {
        person
            .iter()
            .filter_map(|identifier| self.by_subject.get(identifier))
            .flatten()
            .copied()
            .collect()
    }

    fn create(&mut self, asks_by: &Arc<str>, known: &[Arc<str>], ids: &mut RevealIds) -> Place {
        let mut places = self.behind(known);
        if !known.contains(asks_by) {
            places.extend(self.behind(std::slice::from_ref(asks_by)));
        }
        let all: Vec<Standing> = places.iter().map(|place| self.known(*place).standing()).collect();
        let subject = Arc::clone(asked_by(self.provider, asks_by, known, &all));
        let generation = next_generation(&all);
        self.put(Known {
            id: ids.take(),
            state: RevealState::Idle,
            subject,
            generation,
            revealed_at: None,
            owner: None,
            fresh: true,
            woken: false,
        })
    }

    fn known(&self, place: Place) -> &Known {
        &self.reveals[place.0]
    }

    pub(crate) fn id(&self, place: Place) -> i64 {
        self.known(place).id
    }

    pub(crate) fn state(&self, place: Place) -> RevealState {
        self.known(place).state
    }

    /// Returns whether the person must be looked up before the provider can be asked.
    pub(crate) fn is_to_be_looked_up(&self, place: Place) -> bool {
        is_to_be_looked_up(self.provider, &self.known(place).subject)
    }

    /// Returns whether people who are two in the ledger turned out to be one.
    pub(crate) fn merges(&self) -> bool {
        !self.merges.is_empty()
    }
}

/// Returns a row's identifiers, ids before addresses.
fn in_strength(row: &NewRow) -> impl Iterator<Item = &Arc<str>> {
    let ids = row.identifiers.iter().filter(|identifier| !is_address(identifier));
    ids.chain(row.identifiers.iter().filter(|identifier| is_address(identifier)))
}
