//! People whose id is known now: the reveal that was to be looked up asks by that id, or gives way to the reveal that
//! already does.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use db::bulk::{ints, shared, write_rows};
use db::{Conn, Texts};
use jobs::identity::choice::{Standing, counting, next_generation};
use jobs::{Provider, RevealState, Timestamp};

use crate::calls::looked_up::by_subject::reveals_by;
use crate::calls::looked_up::same_person::merge_elsewhere;
use crate::decode::parse_state;
use crate::error::Result;
use crate::people::links::new_links::NewLinks;
use crate::people::links::save;
use crate::reveals::counters::Totals;
use crate::reveals::displayed_rows::lock_states;
use crate::reveals::transition::{Change, give_way, shift};

/// A person whose id is known.
pub(super) struct Identified {
    pub(super) reveal: i64,
    /// The address.
    pub(super) subject: Arc<str>,
    pub(super) id: Arc<str>,
    /// Whether the lookup named the id, and no row did.
    pub(super) is_new: bool,
}

/// A reveal that asks by an id.
struct ById {
    id: i64,
    generation: i64,
    state: RevealState,
    revealed_at: Option<Timestamp>,
}

/// Makes reveals ask by their people's ids. If the answer by an id is known or on its way, it is not asked for again,
/// whether or not the evidence joins the id with the address: Ocean itself says that it is the same person.
pub(super) async fn adopt(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    identified: &[Identified],
    now: Timestamp,
) -> Result<()> {
    if identified.is_empty() {
        return Ok(());
    }
    learn(conn, identified).await?;
    let mut by_id = locked_by_id(conn, provider, identified).await?;
    let (mut pairs, mut renamed) = (BTreeMap::new(), Vec::new());
    for one in identified {
        let known = by_id.entry(Arc::clone(&one.id)).or_default();
        let standings: Vec<Standing> =
            known.iter().map(|reveal| reveal.standing(&one.id)).collect();
        if let Some(winner) = counting(&standings, None) {
            pairs.insert(one.reveal, winner.id);
            continue;
        }
        let generation = next_generation(&standings);
        renamed.push((one, generation));
        let (id, state, revealed_at) = (one.reveal, RevealState::Queued, None);
        known.push(ById { id, generation, state, revealed_at });
    }
    rename(conn, &renamed).await?;
    let all: Vec<i64> = identified.iter().map(|one| one.reveal).collect();
    shift(conn, totals, provider, &all, Change::to(RevealState::Queued), now).await?;
    give_way(conn, totals, &pairs, now).await?;
    let people = || identified.iter().flat_map(|one| [&one.subject, &one.id]).cloned();
    merge_elsewhere(conn, totals, provider, people().collect(), now).await
}

/// Keeps the links that the lookup found, like those of a row.
async fn learn(conn: &mut Conn, identified: &[Identified]) -> Result<()> {
    let ends = |one: &Identified| [Arc::clone(&one.subject), Arc::clone(&one.id)];
    let mut evidence = NewLinks::read(conn, identified.iter().flat_map(ends), None).await?;
    for [one, other] in identified.iter().filter(|one| one.is_new).map(ends) {
        evidence.add(&one, &other, None);
    }
    save(conn, &evidence.into_new(), None).await
}

/// Returns the reveals that ask by these ids, locked together with the reveals that are about to.
async fn locked_by_id(
    conn: &mut Conn,
    provider: Provider,
    identified: &[Identified],
) -> Result<HashMap<Arc<str>, Vec<ById>>> {
    let ids: BTreeSet<Arc<str>> = identified.iter().map(|one| Arc::clone(&one.id)).collect();
    let texts = || Texts::shared(ids.iter().cloned());
    let there = reveals_by(conn, provider, texts()).await?;
    let all = identified.iter().map(|one| one.reveal).chain(there.iter().map(|row| row.id));
    lock_states(conn, &all.collect()).await?;
    let locked = reveals_by(conn, provider, texts()).await?;
    let mut by_id: HashMap<Arc<str>, Vec<ById>> = HashMap::new();
    for row in locked {
        let state = parse_state(&row.state, row.id)?;
        let revealed_at = row.revealed_at.map(Timestamp);
        let reveal = ById { id: row.id, generation: row.generation, state, revealed_at };
        by_id.entry(row.subject.into()).or_default().push(reveal);
    }
    Ok(by_id)
}

impl ById {
    fn standing<'a>(&self, subject: &'a str) -> Standing<'a> {
        let ById { id, generation, state, revealed_at } = *self;
        Standing { id, subject, generation, state, revealed_at }
    }
}

/// Makes the reveals ask by their ids. Failed lookups are not held against them.
async fn rename(conn: &mut Conn, renamed: &[(&Identified, i64)]) -> Result<()> {
    let columns = vec![
        ("id", ints(renamed.iter().map(|(one, _)| one.reveal))),
        ("subject", shared(renamed.iter().map(|(one, _)| Arc::clone(&one.id)))),
        ("generation", ints(renamed.iter().map(|(_, generation)| *generation))),
    ];
    write_rows(
        conn,
        "UPDATE reveals SET subject = e.subject, generation = e.generation, attempts = 0, isolation_group = NULL, repeat_of = NULL
         FROM ROWS WHERE reveals.id = e.id",
        columns,
    )
    .await?;
    Ok(())
}
