//! Ids under which people were answered: evidence of which identifiers are one person's, like a row.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use db::{Conn, Texts, record};
use jobs::identity::Persons;
use jobs::identity::choice::{Standing, gives_way};
use jobs::{Provider, RevealState, Timestamp};

use crate::decode::{parse_provider, parse_state};
use crate::error::Result;
use crate::people::links::new_links::NewLinks;
use crate::people::links::save;
use crate::people::resolve::RevealIds;
use crate::results::settle::ledger::{Learned, Ledger};

/// Keeps the ids under which people were answered. A reveal that waits under another identifier of the same person is not
/// to be asked: returns the reveals that give way, each with the one that it gives way to.
pub(super) async fn learn_aliases(
    conn: &mut Conn,
    ledger: &mut Ledger,
    numbers: Option<RevealIds>,
) -> Result<BTreeMap<i64, i64>> {
    let aliases = std::mem::take(&mut ledger.aliases);
    if aliases.is_empty() {
        return Ok(BTreeMap::new());
    }
    // The lock under which submits resolve people: no submit may create the same person meanwhile.
    if numbers.is_none() {
        RevealIds::lock(conn).await?;
    }
    let evidence = evidence_with(conn, &aliases).await?;
    let persons = evidence.links.persons();
    save(conn, &evidence.into_new(), None).await?;
    let mut fresh: HashMap<(Provider, Arc<str>), (i64, RevealState)> = HashMap::new();
    for alias in &aliases {
        let Some(person) = ledger.people.get(&alias.reveal) else { continue };
        // An old answer that comes once more spares no reveal that waits for a newer one.
        use RevealState::{Cancelled, Failed, Found, NotFound};
        let old = matches!(person.state, Found | NotFound | Failed | Cancelled);
        if person.new_state.is_some() || !old {
            let state = person.new_state.unwrap_or(person.state);
            fresh.insert((alias.provider, alias.subject.as_str().into()), (alias.reveal, state));
        }
    }
    making_way(conn, &persons, &fresh).await
}

/// The evidence about people who were answered, with what their answers say. Two ids of one kind are no evidence, nor are
/// identifiers that were separated by hand.
async fn evidence_with(conn: &mut Conn, aliases: &[Learned]) -> Result<NewLinks> {
    let ends = |alias: &Learned| -> [Arc<str>; 2] {
        [alias.subject.as_str().into(), alias.identifier.as_str().into()]
    };
    let mut evidence = NewLinks::read(conn, aliases.iter().flat_map(ends), None).await?;
    for [one, other] in aliases.iter().map(ends) {
        evidence.add(&one, &other, None);
    }
    Ok(evidence)
}

record! {
    /// A reveal under one of the identifiers of a person who was answered.
    struct RevealRow {
        id: i64,
        provider: String,
        subject: String,
        generation: i64,
        state: String,
    }
}

/// Finds reveals that wait under another identifier of people who were answered, and were not asked for again since.
async fn making_way(
    conn: &mut Conn,
    persons: &Persons,
    answered: &HashMap<(Provider, Arc<str>), (i64, RevealState)>,
) -> Result<BTreeMap<i64, i64>> {
    let mut making_way = BTreeMap::new();
    for provider in Provider::ALL {
        let subjects =
            || answered.keys().filter(|(of, _)| *of == provider).map(|(_, subject)| subject);
        let all: Vec<Arc<str>> =
            subjects().flat_map(|subject| persons.with(subject)).cloned().collect();
        if all.is_empty() {
            continue;
        }
        let found: Vec<RevealRow> = conn
            .fetch_all(
                "SELECT n.id, n.provider, n.subject, n.generation, n.state FROM TEXTS($1) AS e
                 JOIN reveals n ON n.provider = $2 AND n.subject = e.value",
                &[&Texts::shared(all), &provider.as_str()],
            )
            .await?;
        let mut reveals: HashMap<Arc<str>, Vec<(i64, i64, RevealState)>> = HashMap::new();
        for row in found {
            debug_assert_eq!(parse_provider(&row.provider, row.id)?, provider);
            let state = parse_state(&row.state, row.id)?;
            reveals.entry(row.subject.into()).or_default().push((row.id, row.generation, state));
        }
        for subject in subjects() {
            let Some(&(winner, state)) = answered.get(&(provider, Arc::clone(subject))) else {
                continue;
            };
            let standing = |subject, (id, generation, state)| Standing {
                id,
                subject,
                generation,
                state,
                revealed_at: None::<Timestamp>,
            };
            let own = reveals.get(subject).into_iter().flatten().find(|(id, ..)| *id == winner);
            let Some(&(id, generation, _)) = own else { continue };
            let winner = standing(&**subject, (id, generation, state));
            for other in persons.with(subject) {
                let others = reveals.get(other).into_iter().flatten();
                let losers = others.filter(|it| gives_way(&standing(&**other, **it), &winner));
                making_way.extend(losers.map(|(loser, ..)| (*loser, winner.id)));
            }
        }
    }
    Ok(making_way)
}
