//! What a submit would come to, without writing anything: looks up who is known, and remembers of
//! the people it has seen only hashes of their identifiers and a state.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use jobs::{Provider, RevealState, Timestamp};

use crate::conn::{Conn, rows};
use crate::erasures::mark_erased;
use crate::resolve::{is_outdated, is_worth_waiting_for};
use crate::totals::json;
use crate::transition::parse_state;
use crate::{Loaded, NewRow, NewStep, Result, Store};

/// A submit that is only tried out.
#[derive(Debug, Default)]
pub struct Preview {
    refresh_before: Option<Timestamp>,
    hasher: RandomState,
    /// People by the hash of provider and identifier. 64 bits: among ten million people, the chance
    /// that any two are taken for one is one in a hundred thousand, and it is only a preview.
    people: HashMap<u64, usize>,
    /// Where each of these people stands.
    states: Vec<RevealState>,
}

/// What is known of an identifier: the newest reveal behind it.
type Known<'a> = HashMap<(Provider, &'a str), RevealState>;

impl Preview {
    /// Begins one; as [`crate::NewBatch::refresh_before`].
    #[must_use]
    pub fn new(refresh_before: Option<Timestamp>) -> Self {
        Preview { refresh_before, ..Preview::default() }
    }
}

impl Store {
    /// What loading these rows would come to, after those that were previewed before.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn preview(
        &self,
        preview: &mut Preview,
        mut new_rows: Vec<NewRow>,
    ) -> Result<Loaded> {
        let mut conn = self.read().await?;
        mark_erased(&mut conn, &mut new_rows).await?;
        let mut known = Known::new();
        for provider in Provider::ALL {
            look_up(&mut conn, provider, &new_rows, preview.refresh_before, &mut known).await?;
        }
        let erased = new_rows.iter().filter(|row| row.erased).count();
        let mut loaded = Loaded {
            rows: i64::try_from(new_rows.len()).unwrap_or(i64::MAX),
            erased: i64::try_from(erased).unwrap_or(i64::MAX),
            ..Loaded::default()
        };
        // As loading does it: all who are asked by their own identifiers first, so that it doesn't
        // matter which of two rows of a chunk comes first.
        let live: Vec<&NewRow> = new_rows.iter().filter(|row| !row.erased).collect();
        let own: Vec<Vec<Option<Standing>>> = live
            .iter()
            .map(|row| row.steps.iter().map(|step| preview.resolve(step, &known)).collect())
            .collect();
        for (row, own) in live.into_iter().zip(own) {
            preview.place(row, own, &known, &mut loaded);
        }
        Ok(loaded)
    }
}

/// Somebody whom a step names, and whether what they may cost is counted already.
#[derive(Clone, Copy)]
struct Standing {
    provider: Provider,
    person: usize,
    new: bool,
    counted: bool,
}

impl Preview {
    /// Counts a row as loading would place it: by the step of its waterfall that it would show.
    fn place(
        &mut self,
        row: &NewRow,
        own: Vec<Option<Standing>>,
        known: &Known<'_>,
        loaded: &mut Loaded,
    ) {
        let steps: Vec<Standing> = row
            .steps
            .iter()
            .zip(own)
            .filter_map(|(step, own)| own.or_else(|| self.find(step, known)))
            .collect();
        let state = |step: &Standing| self.states[step.person];
        let goes_on =
            |step: &Standing| matches!(state(step), RevealState::NotFound | RevealState::Failed);
        let shown = steps
            .iter()
            .position(|step| state(step) == RevealState::Found)
            .or_else(|| steps.iter().position(|step| !goes_on(step)))
            .unwrap_or(steps.len().saturating_sub(1));
        for (place, step) in steps.iter().enumerate().skip(shown) {
            let asked_now = place == shown && self.states[step.person] == RevealState::Idle;
            if !step.counted && (step.new || asked_now) {
                *loaded.new_people.entry(step.provider).or_default() += 1;
            }
            if asked_now {
                self.states[step.person] = RevealState::Queued;
            }
            loaded.shared += i64::from(place == shown && !asked_now);
        }
    }

    /// The person whom a step asks for. Somebody new waits for nobody, until a row shows them.
    fn resolve(&mut self, step: &NewStep, known: &Known<'_>) -> Option<Standing> {
        if step.only_if_known {
            return None;
        }
        let seen = self.seen(step);
        let in_ledger = best(step, known);
        let person = seen.unwrap_or_else(|| {
            self.states.push(in_ledger.unwrap_or(RevealState::Idle));
            self.states.len() - 1
        });
        for identifier in &step.identifiers {
            let hash = self.hasher.hash_one((step.provider, identifier));
            self.people.entry(hash).or_insert(person);
        }
        let (provider, counted) = (step.provider, seen.is_some());
        Some(Standing { provider, person, new: !counted && in_ledger.is_none(), counted })
    }

    /// Somebody whom a step can't ask for, but whom another row or the ledger knows there.
    fn find(&mut self, step: &NewStep, known: &Known<'_>) -> Option<Standing> {
        let person = match (self.seen(step), best(step, known)) {
            (Some(person), _) => person,
            (None, Some(state)) => {
                self.states.push(state);
                self.states.len() - 1
            }
            (None, None) => return None,
        };
        let provider = step.provider;
        let standing = Standing { provider, person, new: false, counted: false };
        is_worth_waiting_for(self.states[person]).then_some(standing)
    }

    fn seen(&self, step: &NewStep) -> Option<usize> {
        let hash = |identifier| self.hasher.hash_one((step.provider, identifier));
        step.identifiers.iter().find_map(|identifier| self.people.get(&hash(identifier))).copied()
    }
}

/// Where the best reveal behind a step's identifiers stands.
fn best(step: &NewStep, known: &Known<'_>) -> Option<RevealState> {
    let states = step
        .identifiers
        .iter()
        .filter_map(|identifier| known.get(&(step.provider, identifier.as_str())));
    states.max_by_key(|state| state.rank()).copied()
}

type KnownRow = (String, i64, String, Option<i64>);

/// Looks up the rows' identifiers, as subjects and as aliases of one.
async fn look_up<'a>(
    conn: &mut Conn,
    provider: Provider,
    new_rows: &'a [NewRow],
    refresh_before: Option<Timestamp>,
    known: &mut Known<'a>,
) -> Result<()> {
    let steps = new_rows.iter().flat_map(|row| &row.steps).filter(|step| step.provider == provider);
    let identifiers: HashSet<&'a str> =
        steps.flat_map(|step| step.identifiers.iter().map(String::as_str)).collect();
    if identifiers.is_empty() {
        return Ok(());
    }
    let found: Vec<KnownRow> = rows!(
        conn,
        "SELECT e.value, r.generation, r.state, r.revealed_at FROM TEXTS($1) AS e
         JOIN reveals r ON r.provider = $2 AND r.subject = e.value
         UNION ALL
         SELECT e.value, r.generation, r.state, r.revealed_at FROM TEXTS($1) AS e
         JOIN aliases a ON a.provider = $2 AND a.identifier = e.value
         JOIN reveals r ON r.provider = $2 AND r.subject = a.subject",
        json(&identifiers),
        provider.as_str(),
    )?;
    let mut newest: BTreeMap<&'a str, (i64, RevealState, Option<Timestamp>)> = BTreeMap::new();
    for (identifier, generation, state, revealed_at) in found {
        let Some(&identifier) = identifiers.get(identifier.as_str()) else { continue };
        let state = parse_state(&state, 0)?;
        if newest.get(identifier).is_none_or(|(before, ..)| *before < generation) {
            newest.insert(identifier, (generation, state, revealed_at.map(Timestamp)));
        }
    }
    for (identifier, (_, state, revealed_at)) in newest {
        if !is_outdated(state, revealed_at, refresh_before) {
            known.insert((provider, identifier), state);
        }
    }
    Ok(())
}
