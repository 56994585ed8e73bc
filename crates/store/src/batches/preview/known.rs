//! What the ledger knows of the people on previewed rows: the reveals that these rows would share.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use db::{Conn, Texts, record};
use jobs::identity::Persons;
use jobs::identity::choice::{Standing, counting};
use jobs::{Provider, RevealState, Timestamp};

use crate::decode::parse_state;
use crate::error::Result;
use crate::people::new_row::NewRow;

/// For each known identifier, the reveal that a row with it would share.
pub(super) type Known<'a> = HashMap<(Provider, &'a Arc<str>), InLedger>;

/// A reveal as the ledger has it.
#[derive(Debug, Clone)]
pub(super) struct InLedger {
    pub(super) reveal: i64,
    pub(super) subject: String,
    generation: i64,
    /// `Idle` also if only loading batches want the reveal.
    pub(super) state: RevealState,
    revealed_at: Option<Timestamp>,
    pub(super) unclaimed: bool,
}

impl InLedger {
    fn standing(&self) -> Standing<'_> {
        Standing {
            id: self.reveal,
            subject: &self.subject,
            generation: self.generation,
            state: self.state,
            revealed_at: self.revealed_at,
        }
    }
}

/// Looks up the rows' identifiers and all other identifiers of the same persons.
pub(super) async fn look_up<'a>(
    conn: &mut Conn,
    provider: Provider,
    new_rows: &'a [NewRow],
    persons: &'a Persons,
    refresh_before: Option<Timestamp>,
    known: &mut Known<'a>,
) -> Result<()> {
    let at_provider = |row: &&NewRow| row.steps.iter().any(|step| step.provider == provider);
    let rows = new_rows.iter().filter(at_provider);
    let identifiers: BTreeSet<&'a Arc<str>> = rows.flat_map(|row| &row.identifiers).collect();
    if identifiers.is_empty() {
        return Ok(());
    }
    let all = identifiers.iter().copied().chain(persons.all().iter().flatten()).collect();
    let reveals = reveals_of(conn, provider, all).await?;
    for identifier in identifiers {
        let of_person: Vec<&InLedger> = persons
            .with(identifier)
            .iter()
            .filter_map(|one| reveals.get(&**one))
            .flatten()
            .collect();
        let standings: Vec<Standing> = of_person.iter().map(|reveal| reveal.standing()).collect();
        let best = counting(&standings, refresh_before);
        if let Some(best) = best.and_then(|best| of_person.iter().find(|it| it.reveal == best.id)) {
            known.insert((provider, identifier), (*best).clone());
        }
    }
    Ok(())
}

record! {
    /// A reveal; its state is `idle` also if only loading batches want it.
    struct RevealRow {
        subject: String,
        generation: i64,
        id: i64,
        state: String,
        revealed_at: Option<i64>,
        unclaimed: i64,
    }
}

/// Returns all reveals of each subject.
async fn reveals_of(
    conn: &mut Conn,
    provider: Provider,
    subjects: BTreeSet<&Arc<str>>,
) -> Result<HashMap<String, Vec<InLedger>>> {
    let found: Vec<RevealRow> = conn.fetch_all(
        "SELECT r.subject, r.generation, r.id,
                CASE WHEN l.id IS NOT NULL AND r.state IN ('queued', 'retrying') THEN 'idle' ELSE r.state END AS state,
                r.revealed_at, CAST(CASE WHEN EXISTS (
                    SELECT 1 FROM row_waterfall f JOIN batches b ON b.id = f.batch_id
                    WHERE f.reveal_id = r.id AND b.published_at IS NOT NULL AND b.cancelled_at IS NULL)
                THEN 0 ELSE 1 END AS BIGINT) AS unclaimed
         FROM TEXTS($1) AS e
         JOIN reveals r ON r.provider = $2 AND r.subject = e.value
         LEFT JOIN batches l ON l.id = r.owner AND l.published_at IS NULL",
        &[&Texts::of(&subjects), &provider.as_str()],
    )
    .await?;
    let mut reveals: HashMap<String, Vec<InLedger>> = HashMap::new();
    for row in found {
        let state = parse_state(&row.state, row.id)?;
        let it = InLedger {
            reveal: row.id,
            subject: row.subject.clone(),
            generation: row.generation,
            state,
            revealed_at: row.revealed_at.map(Timestamp),
            unclaimed: state == RevealState::Idle && row.unclaimed == 1,
        };
        reveals.entry(row.subject).or_default().push(it);
    }
    Ok(reveals)
}
