//! Predicts the result of a submit without writing anything. A preview looks up which people are known. Of the people it has
//! seen, it keeps only hashes of their identifiers and a state.

mod known;

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use jobs::identity::choice::is_worth_waiting_for;
use jobs::identity::{Persons, is_address};
use jobs::lookup::is_to_be_looked_up;
use jobs::{IdentifierKind, Provider, RevealState, Timestamp};

use crate::batches::Batches;
use crate::batches::loading::Loaded;
use crate::batches::preview::known::{InLedger, Known, look_up};
use crate::error::Result;
use crate::people::erased::mark_erased;
use crate::people::links::evidence::Evidence;
use crate::people::new_row::{NewRow, NewStep};
use crate::people::suppressed::SuppressedRows;
use crate::people::suppression_list::{KnownSuppressions, SuppressionVersion};
use crate::reveals::displayed_rows::without_mobile;
use crate::reveals::waterfall::{Step, displayed_step};

/// A dry run of a submit. If a row far down shows that two people are one, the numbers of a real submit may differ
/// slightly.
#[derive(Debug, Default)]
pub struct Preview {
    refresh_before: Option<Timestamp>,
    wants_mobile: bool,
    suppressions: KnownSuppressions,
    hasher: RandomState,
    /// People by the hash of provider and identifier. With 64 bits and ten million people, the chance that any two are taken
    /// for one is one in a hundred thousand, which is enough for a preview.
    by_identifier: HashMap<u64, usize>,
    /// People by the number of their reveal.
    by_reveal: HashMap<i64, usize>,
    people: Vec<Person>,
}

#[derive(Debug, Clone, Copy)]
struct Person {
    state: RevealState,
    /// The person was found, but only with numbers of another type than is wanted.
    lacks: bool,
    /// No row wants the person, or may want them later.
    unclaimed: bool,
    /// The cost that the person may cause is counted.
    counted: bool,
    /// The person must be looked up before a provider can be asked for them.
    to_look_up: bool,
}

/// The results of the look-ups for a chunk of rows.
struct Looked<'a> {
    persons: &'a Persons,
    known: Known<'a>,
    /// Reveals that were found, but only with numbers of another type than is wanted.
    lacking: BTreeSet<i64>,
}

/// The person that a step names: the provider, and the index into the preview's people.
type Named = (Provider, usize);

impl Preview {
    /// Begins a preview; `refresh_before` is as in [`crate::NewBatch::refresh_before`].
    #[must_use]
    pub fn new(refresh_before: Option<Timestamp>) -> Self {
        Preview { refresh_before, ..Preview::default() }
    }

    /// Sets `wants_mobile`, as in [`crate::NewBatch::wants_mobile`].
    #[must_use]
    pub fn wanting_mobile(self, wants_mobile: bool) -> Self {
        Preview { wants_mobile, ..self }
    }
}

impl Batches<'_> {
    /// Returns the result that loading these rows would have, after the rows that were previewed before.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn preview(self, preview: &mut Preview, mut new_rows: Vec<NewRow>) -> Result<Loaded> {
        let mut conn = self.store.db.read().await?;
        mark_erased(&mut conn, &mut new_rows).await?;
        let rows = i64::try_from(new_rows.len()).unwrap_or(i64::MAX);
        new_rows.retain(|row| !row.erased);
        let live = i64::try_from(new_rows.len()).unwrap_or(i64::MAX);
        let evidence = Evidence::of_rows(&mut conn, None, &new_rows).await?;
        let persons = &evidence.persons;
        let version = SuppressionVersion::read(&mut conn).await?;
        let list = preview.suppressions.of(&mut conn, version).await?;
        let suppressed =
            SuppressedRows::of(&mut conn, list.as_deref(), &new_rows, persons).await?.rows;
        new_rows.retain(|row| !suppressed.contains(&row.number));
        let mut known = Known::new();
        for provider in Provider::ALL {
            let before = preview.refresh_before;
            look_up(&mut conn, provider, &new_rows, persons, before, &mut known).await?;
        }
        let mut loaded = Loaded {
            rows,
            erased: rows - live,
            suppressed: suppressed.len() as i64,
            contradictions: evidence.contradictions(&mut conn, None, &new_rows).await?,
            ..Loaded::default()
        };
        // As in loading, the people who are asked by their own identifiers come first, so that the order of two rows of a chunk
        // doesn't matter.
        let found = known.values().map(|known| known.reveal).filter(|_| preview.wants_mobile);
        let lacking = without_mobile(&mut conn, found).await?;
        let looked = Looked { persons, known, lacking };
        let own: Vec<Vec<Option<Named>>> = new_rows
            .iter()
            .map(|row| row.steps.iter().map(|step| preview.resolve(row, step, &looked)).collect())
            .collect();
        for (row, own) in new_rows.iter().zip(own) {
            preview.place(row, own, &looked, &mut loaded);
        }
        Ok(loaded)
    }
}

impl Preview {
    /// Counts a row as loading would place it: at the step of its waterfall that it would show.
    fn place(
        &mut self,
        row: &NewRow,
        own: Vec<Option<Named>>,
        looked: &Looked<'_>,
        loaded: &mut Loaded,
    ) {
        let steps: Vec<Named> = row
            .steps
            .iter()
            .zip(own)
            .filter_map(|(step, own)| own.or_else(|| self.find(row, step, looked)))
            .collect();
        let stands = |&(_, person): &Named| {
            let Person { state, lacks, .. } = self.people[person];
            Step { state, lacks }
        };
        let shown = displayed_step(steps.iter().map(stands)).unwrap_or_default();
        for (place, &(provider, person)) in steps.iter().enumerate().skip(shown) {
            let person = &mut self.people[person];
            let asked_now = place == shown && person.state == RevealState::Idle;
            if asked_now {
                person.state = RevealState::Queued;
            }
            if (person.unclaimed || asked_now) && !person.counted {
                person.counted = true;
                *loaded.new_people.entry(provider).or_default() += 1;
                loaded.lookups += i64::from(person.to_look_up);
            }
            loaded.shared += i64::from(place == shown && !asked_now);
        }
    }

    /// Returns the person that a step asks for. A new person is idle until a row displays them.
    fn resolve(&mut self, row: &NewRow, step: &NewStep, looked: &Looked<'_>) -> Option<Named> {
        let asks_by = row.asked_by(step)?;
        let own = step.provider.asks_by().first().copied();
        let is_own = IdentifierKind::of_encoded(asks_by) == own;
        let anchors: Vec<&Arc<str>> = if is_own { vec![asks_by] } else { in_strength(row) };
        let person = match self.behind(&anchors, step.provider, looked) {
            Some(person) => person,
            None => {
                let mut known = looked.persons.with(asks_by).iter();
                let is_own = |one: &Arc<str>| IdentifierKind::of_encoded(one) == own;
                let to_look_up = is_to_be_looked_up(step.provider, asks_by) && !known.any(is_own);
                let (state, lacks) = (RevealState::Idle, false);
                self.meet(Person { state, lacks, unclaimed: true, counted: false, to_look_up })
            }
        };
        for identifier in looked.persons.with(asks_by) {
            let hash = self.hasher.hash_one((step.provider, identifier));
            self.by_identifier.entry(hash).or_insert(person);
        }
        Some((step.provider, person))
    }

    /// Returns the person of a step that can't ask its provider, if another row or the ledger knows the person there.
    fn find(&mut self, row: &NewRow, step: &NewStep, looked: &Looked<'_>) -> Option<Named> {
        let person = self.behind(&in_strength(row), step.provider, looked)?;
        let Person { state, to_look_up, .. } = self.people[person];
        (is_worth_waiting_for(state) && !to_look_up).then_some((step.provider, person))
    }

    fn behind(
        &mut self,
        anchors: &[&Arc<str>],
        provider: Provider,
        looked: &Looked<'_>,
    ) -> Option<usize> {
        anchors.iter().find_map(|anchor| {
            self.seen(anchor, provider, looked).or_else(|| self.in_ledger(anchor, provider, looked))
        })
    }

    fn seen(&self, anchor: &Arc<str>, provider: Provider, looked: &Looked<'_>) -> Option<usize> {
        let hash = |identifier| self.hasher.hash_one((provider, identifier));
        let mut seen = looked.persons.with(anchor).iter().map(|i| self.by_identifier.get(&hash(i)));
        seen.find_map(|person| person.copied())
    }

    fn in_ledger(
        &mut self,
        anchor: &Arc<str>,
        provider: Provider,
        looked: &Looked<'_>,
    ) -> Option<usize> {
        let known = looked.known.get(&(provider, anchor))?;
        let &InLedger { reveal, state, unclaimed, .. } = known;
        if let Some(&person) = self.by_reveal.get(&reveal) {
            return Some(person);
        }
        let lacks = looked.lacking.contains(&reveal);
        let to_look_up =
            state != RevealState::Found && is_to_be_looked_up(provider, &known.subject);
        let person = self.meet(Person { state, lacks, unclaimed, counted: false, to_look_up });
        self.by_reveal.insert(reveal, person);
        Some(person)
    }

    fn meet(&mut self, person: Person) -> usize {
        self.people.push(person);
        self.people.len() - 1
    }
}

/// Returns a row's identifiers, ids before addresses.
fn in_strength(row: &NewRow) -> Vec<&Arc<str>> {
    let (addresses, mut ids): (Vec<_>, Vec<_>) =
        row.identifiers.iter().partition(|identifier| is_address(identifier));
    ids.extend(addresses);
    ids
}
