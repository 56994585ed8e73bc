//! What a submit would come to, without writing anything: looks up who is known, and remembers of
//! the people it has seen only hashes of their identifiers and a state.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};

use jobs::{Provider, RevealState, Timestamp};

use crate::aliases::aliases_of;
use crate::conn::{Conn, rows};
use crate::erasures::mark_erased;
use crate::resolve::{is_outdated, is_worth_waiting_for, preference};
use crate::texts::Texts;
use crate::transition::parse_state;
use crate::{Loaded, NewRow, NewStep, Result, Store};

/// A submit that is only tried out. Where a row far down shows that two people are one, a submit
/// may come to slightly different numbers.
#[derive(Debug, Default)]
pub struct Preview {
    refresh_before: Option<Timestamp>,
    hasher: RandomState,
    /// People by the hash of provider and identifier. 64 bits: among ten million people, the chance
    /// that any two are taken for one is one in a hundred thousand, and it is only a preview.
    by_identifier: HashMap<u64, usize>,
    /// People by the number of their reveal.
    by_reveal: HashMap<i64, usize>,
    people: Vec<Person>,
}

#[derive(Debug, Clone, Copy)]
struct Person {
    state: RevealState,
    /// Nobody waits for them, nor may come to.
    unclaimed: bool,
    /// What they may cost is counted.
    counted: bool,
}

/// What is known of an identifier: the reveal that a row with it would share.
type Known<'a> = HashMap<(Provider, &'a str), InLedger>;

/// A reveal as the ledger has it.
#[derive(Debug, Clone, Copy)]
struct InLedger {
    reveal: i64,
    /// Idle, too, where only batches wait for them that nobody sees yet.
    state: RevealState,
    unclaimed: bool,
}

/// Somebody whom a step names: the provider, and their place among the people.
type Named = (Provider, usize);

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
        let own: Vec<Vec<Option<Named>>> = live
            .iter()
            .map(|row| row.steps.iter().map(|step| preview.resolve(row, step, &known)).collect())
            .collect();
        for (row, own) in live.into_iter().zip(own) {
            preview.place(row, own, &known, &mut loaded);
        }
        Ok(loaded)
    }
}

impl Preview {
    /// Counts a row as loading would place it: by the step of its waterfall that it would show.
    fn place(
        &mut self,
        row: &NewRow,
        own: Vec<Option<Named>>,
        known: &Known<'_>,
        loaded: &mut Loaded,
    ) {
        let steps: Vec<Named> = row
            .steps
            .iter()
            .zip(own)
            .filter_map(|(step, own)| own.or_else(|| self.find(row, step, known)))
            .collect();
        let state = |&(_, person): &Named| self.people[person].state;
        let goes_on =
            |step: &Named| matches!(state(step), RevealState::NotFound | RevealState::Failed);
        let shown = steps
            .iter()
            .position(|step| state(step) == RevealState::Found)
            .or_else(|| steps.iter().position(|step| !goes_on(step)))
            .unwrap_or(steps.len().saturating_sub(1));
        for (place, &(provider, person)) in steps.iter().enumerate().skip(shown) {
            let person = &mut self.people[person];
            let asked_now = place == shown && person.state == RevealState::Idle;
            if asked_now {
                person.state = RevealState::Queued;
            }
            if (person.unclaimed || asked_now) && !person.counted {
                person.counted = true;
                *loaded.new_people.entry(provider).or_default() += 1;
            }
            loaded.shared += i64::from(place == shown && !asked_now);
        }
    }

    /// The person whom a step asks for. Somebody new waits for nobody, until a row shows them.
    fn resolve(&mut self, row: &NewRow, step: &NewStep, known: &Known<'_>) -> Option<Named> {
        row.asked_by(step)?;
        let person = match self.seen(row, step).or_else(|| self.in_ledger(row, step, known)) {
            Some(person) => person,
            None => self.meet(RevealState::Idle, true),
        };
        for identifier in &row.identifiers {
            let hash = self.hasher.hash_one((step.provider, identifier));
            self.by_identifier.entry(hash).or_insert(person);
        }
        Some((step.provider, person))
    }

    /// Somebody whom a step can't ask for, but whom another row or the ledger knows there.
    fn find(&mut self, row: &NewRow, step: &NewStep, known: &Known<'_>) -> Option<Named> {
        let person = self.seen(row, step).or_else(|| self.in_ledger(row, step, known))?;
        is_worth_waiting_for(self.people[person].state).then_some((step.provider, person))
    }

    fn seen(&self, row: &NewRow, step: &NewStep) -> Option<usize> {
        let hash = |identifier| self.hasher.hash_one((step.provider, identifier));
        let mut seen = row.identifiers.iter().map(|i| self.by_identifier.get(&hash(i)));
        seen.find_map(|person| person.copied())
    }

    fn in_ledger(&mut self, row: &NewRow, step: &NewStep, known: &Known<'_>) -> Option<usize> {
        let known = row.identifiers.iter().filter_map(|i| known.get(&(step.provider, &**i)));
        let &InLedger { reveal, state, unclaimed } = known.max_by_key(|k| preference(k.state))?;
        if let Some(&person) = self.by_reveal.get(&reveal) {
            return Some(person);
        }
        let person = self.meet(state, unclaimed);
        self.by_reveal.insert(reveal, person);
        Some(person)
    }

    fn meet(&mut self, state: RevealState, unclaimed: bool) -> usize {
        self.people.push(Person { state, unclaimed, counted: false });
        self.people.len() - 1
    }
}

/// Looks up the rows' identifiers, as subjects and as aliases of one.
async fn look_up<'a>(
    conn: &mut Conn,
    provider: Provider,
    new_rows: &'a [NewRow],
    refresh_before: Option<Timestamp>,
    known: &mut Known<'a>,
) -> Result<()> {
    let at_provider = |row: &&NewRow| row.steps.iter().any(|step| step.provider == provider);
    let rows = new_rows.iter().filter(at_provider);
    let identifiers: BTreeSet<&'a str> =
        rows.flat_map(|row| row.identifiers.iter().map(|identifier| &**identifier)).collect();
    if identifiers.is_empty() {
        return Ok(());
    }
    let links = links(conn, provider, &identifiers).await?;
    let newest = newest(conn, provider, &links, &identifiers, refresh_before).await?;
    for identifier in identifiers {
        let behind = behind(identifier, &links);
        let reveals = behind.iter().filter_map(|subject| newest.get(*subject));
        if let Some(&reveal) = reveals.max_by_key(|reveal| preference(reveal.state)) {
            known.insert((provider, identifier), reveal);
        }
    }
    Ok(())
}

/// Which subjects each identifier is an alias of.
type Links = HashMap<String, Vec<String>>;

async fn links(conn: &mut Conn, provider: Provider, identifiers: &BTreeSet<&str>) -> Result<Links> {
    let mut links = Links::new();
    for (identifier, subject) in aliases_of(conn, provider, &Texts::of(identifiers)).await? {
        links.entry(identifier).or_default().push(subject);
    }
    Ok(links)
}

fn behind<'l>(identifier: &'l str, links: &'l Links) -> BTreeSet<&'l str> {
    let mut behind = BTreeSet::from([identifier]);
    let mut next = vec![identifier];
    while let Some(identifier) = next.pop() {
        let subjects = links.get(identifier).into_iter().flatten().map(String::as_str);
        next.extend(subjects.filter(|subject| behind.insert(subject)));
    }
    behind
}

type RevealRow = (String, i64, i64, String, Option<i64>, i64);

/// The newest reveal of each subject, unless a submit would ask afresh.
async fn newest(
    conn: &mut Conn,
    provider: Provider,
    links: &Links,
    identifiers: &BTreeSet<&str>,
    refresh_before: Option<Timestamp>,
) -> Result<HashMap<String, InLedger>> {
    let subjects: BTreeSet<&str> =
        identifiers.iter().copied().chain(links.values().flatten().map(String::as_str)).collect();
    let found: Vec<RevealRow> = rows!(
        conn,
        "SELECT r.subject, r.generation, r.id,
                CASE WHEN l.id IS NOT NULL AND r.state IN ('queued', 'retrying') THEN 'idle' ELSE r.state END,
                r.revealed_at, CAST(CASE WHEN EXISTS (
                    SELECT 1 FROM row_waterfall f JOIN batches b ON b.id = f.batch_id
                    WHERE f.reveal_id = r.id AND b.published_at IS NOT NULL AND b.cancelled_at IS NULL)
                THEN 0 ELSE 1 END AS BIGINT)
         FROM TEXTS($1) AS e
         JOIN reveals r ON r.provider = $2 AND r.subject = e.value
         LEFT JOIN batches l ON l.id = r.lane AND l.published_at IS NULL
         ORDER BY r.generation",
        Texts::of(&subjects),
        provider.as_str(),
    )?;
    let mut newest = HashMap::new();
    for (subject, _, reveal, state, revealed_at, unclaimed) in found {
        let state = parse_state(&state, reveal)?;
        if is_outdated(state, revealed_at.map(Timestamp), refresh_before) {
            newest.remove(&subject);
        } else {
            let unclaimed = state == RevealState::Idle && unclaimed == 1;
            newest.insert(subject, InLedger { reveal, state, unclaimed });
        }
    }
    Ok(newest)
}
