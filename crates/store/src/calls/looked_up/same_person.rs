//! Applies a lookup at other providers: two reveals of one person that wait there under different identifiers become one,
//! so that no person is paid for twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use db::{Conn, Texts};
use jobs::identity::choice::{Standing, counting, gives_way};
use jobs::{Provider, Timestamp};

use crate::calls::looked_up::by_subject::reveals_by;
use crate::decode::parse_state;
use crate::error::Result;
use crate::people::links::evidence::persons_of;
use crate::reveals::counters::Totals;
use crate::reveals::displayed_rows::lock_states;
use crate::reveals::transition::give_way;

/// Merges the reveals of each of these people at providers other than `asked`.
pub(super) async fn merge_elsewhere(
    conn: &mut Conn,
    totals: &mut Totals,
    asked: Provider,
    identifiers: Vec<Arc<str>>,
    now: Timestamp,
) -> Result<()> {
    let persons = persons_of(conn, identifiers).await?;
    let mut pairs = BTreeMap::new();
    for provider in Provider::ALL.into_iter().filter(|provider| *provider != asked) {
        let subjects = Texts::shared(persons.all().iter().flatten().cloned());
        let found = reveals_by(conn, provider, subjects).await?;
        let states = lock_states(conn, &found.iter().map(|row| row.id).collect()).await?;
        let mut groups: BTreeMap<&[Arc<str>], Vec<Standing>> = BTreeMap::new();
        let subjects: Vec<Arc<str>> = found.iter().map(|row| row.subject.as_str().into()).collect();
        for (row, subject) in found.iter().zip(&subjects) {
            let state = match states.get(&row.id) {
                Some((_, state)) => *state,
                None => parse_state(&row.state, row.id)?,
            };
            groups.entry(persons.with(subject)).or_default().push(Standing {
                id: row.id,
                subject,
                generation: row.generation,
                state,
                revealed_at: row.revealed_at.map(Timestamp),
            });
        }
        for standings in groups.into_values() {
            let Some(best) = counting(&standings, None) else { continue };
            let losers = standings.iter().filter(|reveal| gives_way(reveal, &best));
            pairs.extend(losers.map(|loser| (loser.id, best.id)));
        }
    }
    give_way(conn, totals, &pairs, now).await
}
