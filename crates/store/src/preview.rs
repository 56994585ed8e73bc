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
    /// By the hash of provider and identifier. 64 bits: among ten million people, the chance that
    /// any two are taken for one is one in a hundred thousand, and it is only a preview.
    seen: HashMap<u64, RevealState>,
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
        let mut loaded = Loaded::default();
        for row in &new_rows {
            loaded.rows += 1;
            if row.erased {
                loaded.erased += 1;
            } else {
                preview.place(row, &known, &mut loaded);
            }
        }
        Ok(loaded)
    }
}

impl Preview {
    /// Counts a row as loading would place it: by the step of its waterfall that it would show.
    fn place(&mut self, row: &NewRow, known: &Known<'_>, loaded: &mut Loaded) {
        let steps = row.steps.iter().map(|step| (step, self.stands(step, known)));
        let (row_steps, steps): (Vec<&NewStep>, Vec<Standing>) = steps
            .filter(|(step, standing)| {
                !step.only_if_known
                    || (standing.by != By::Nobody && is_worth_waiting_for(standing.state))
            })
            .unzip();
        let found = steps.iter().position(|step| step.state == RevealState::Found);
        let stops =
            |step: &Standing| !matches!(step.state, RevealState::NotFound | RevealState::Failed);
        let shown =
            found.or_else(|| steps.iter().position(stops)).unwrap_or(steps.len().saturating_sub(1));
        for (place, (step, standing)) in row_steps.into_iter().zip(&steps).enumerate() {
            let asked_now = place == shown && standing.state == RevealState::Idle;
            let counted = standing.by == By::Preview || place < shown;
            if !counted && (asked_now || standing.by == By::Nobody) {
                *loaded.new_people.entry(step.provider).or_default() += 1;
            }
            if place == shown {
                loaded.shared += i64::from(!asked_now);
            }
            self.remember(step, if asked_now { RevealState::Queued } else { standing.state });
        }
    }

    fn remember(&mut self, step: &NewStep, state: RevealState) {
        for identifier in &step.identifiers {
            self.seen.insert(self.hasher.hash_one((step.provider, identifier)), state);
        }
    }

    /// Where the person behind a step stands. Somebody new waits for nobody, until a row shows them.
    fn stands(&self, step: &NewStep, known: &Known<'_>) -> Standing {
        let seen = step.identifiers.iter().find_map(|identifier| {
            self.seen.get(&self.hasher.hash_one((step.provider, identifier)))
        });
        if let Some(&state) = seen {
            return Standing { state, by: By::Preview };
        }
        let in_ledger = step
            .identifiers
            .iter()
            .filter_map(|identifier| known.get(&(step.provider, identifier.as_str())))
            .max_by_key(|state| state.rank());
        match in_ledger {
            Some(&state) => Standing { state, by: By::Ledger },
            None => Standing { state: RevealState::Idle, by: By::Nobody },
        }
    }
}

/// Where somebody stands, and who knows them.
struct Standing {
    state: RevealState,
    by: By,
}

#[derive(PartialEq, Eq)]
enum By {
    Preview,
    Ledger,
    Nobody,
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
