//! Puts the people of a run of 404s back into the queue when the run turned out to be the provider's fault. A 404 is never
//! charged, so asking them again charges no person twice.

use std::collections::BTreeSet;

use db::{Conn, Ints, record};
use jobs::{Credits, Provider, RevealState, Timestamp};

use crate::error::Result;
use crate::reveals::counters::Totals;
use crate::reveals::displayed_rows::{lock_states, read_waterfalls};
use crate::reveals::transition::reopen;
use crate::reveals::waterfall::{States, Waterfall, waits};

record! {
    /// A person who was answered with 404, and the call.
    struct Member {
        reveal_id: i64,
        call_id: i64,
        payer: i64,
        reserved: i64,
    }
}

/// Queues the people of a run that began with the call `first`. People stay unchanged if more is known about them
/// since: a person who was asked at the next provider of a row, or again, may be paid for there.
pub(super) async fn ask_again(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    first: i64,
    now: Timestamp,
) -> Result<()> {
    let members = members(conn, provider, first).await?;
    let ids: Vec<i64> = members.iter().map(|member| member.reveal_id).collect();
    let (waterfalls, steps) = read_waterfalls(conn, &ids).await?;
    let all: BTreeSet<i64> = ids.iter().chain(steps.keys()).copied().collect();
    let states = lock_states(conn, &all).await?;
    let members: Vec<Member> = members
        .into_iter()
        .filter(|member| is_last_word(member.reveal_id, &waterfalls, &states))
        .collect();
    if members.is_empty() {
        return Ok(());
    }
    take_back(conn, totals, provider, &members).await?;
    let ids: BTreeSet<i64> = members.iter().map(|member| member.reveal_id).collect();
    reopen(conn, totals, provider, &ids.into_iter().collect::<Vec<_>>(), now).await?;
    tracing::warn!(%provider, people = members.len(), "people who were answered with 404, as everybody was, are asked again");
    Ok(())
}

/// Returns people whose last answer was a 404 of the run. People who are known under another identifier, or are asked
/// again, are left out.
async fn members(conn: &mut Conn, provider: Provider, first: i64) -> Result<Vec<Member>> {
    Ok(conn.fetch_all(
        "SELECT m.reveal_id, m.call_id, m.payer, m.reserved
         FROM calls c JOIN call_reveals m ON m.call_id = c.id
         JOIN reveals r ON r.id = m.reveal_id AND r.call_id = c.id AND r.state = 'not_found'
         WHERE c.id >= $1 AND c.provider = $2 AND c.state = 'done' AND c.http_status = 404
           AND c.outcome = 'not found'
           AND NOT EXISTS (SELECT 1 FROM reveals n WHERE n.provider = r.provider AND n.subject = r.subject
                                                     AND n.generation > r.generation)
           AND NOT EXISTS (SELECT 1 FROM identity_links l
                           JOIN reveals n ON n.provider = r.provider AND n.subject = l.other
                           WHERE l.identifier = r.subject)
         ORDER BY m.reveal_id",
        &[&first, &provider.as_str()],
    )
    .await?)
}

/// Whether a person still has no number, and no row that lists them has asked at a later step.
fn is_last_word(id: i64, waterfalls: &[Waterfall], states: &States) -> bool {
    let state = |id: &i64| states.get(id).map(|(_, state)| *state);
    let mut listing = waterfalls.iter().filter(|row| row.steps.contains(&id));
    state(&id) == Some(RevealState::NotFound)
        && listing.all(|row| {
            let later = row.steps.iter().skip_while(|step| **step != id).skip(1);
            later.filter_map(state).all(waits)
        })
}

/// Notes the calls as refused: no person was asked.
async fn take_back(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    members: &[Member],
) -> Result<()> {
    for member in members.iter().filter(|member| member.reserved > 0) {
        totals.reserve(member.payer, provider, -1, Credits::ZERO);
        totals.not_found(member.payer, provider, -1);
    }
    let calls: Vec<i64> = members.iter().map(|member| member.call_id).collect();
    conn.execute(
        "UPDATE call_reveals SET reserved = 0, credits = 0
         WHERE call_id IN (SELECT e.value FROM IDS($1) AS e)",
        &[&Ints::of(&calls)],
    )
    .await?;
    conn.execute(
        "UPDATE calls SET state = 'refused', outcome = 'not found, as everybody'
         WHERE id IN (SELECT e.value FROM IDS($1) AS e)",
        &[&Ints::of(&calls)],
    )
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use RevealState::{Asked, Found, Idle, NotFound, Queued};

    #[test]
    fn who_was_asked_elsewhere_is_left_alone() {
        let lacking = BTreeSet::new();
        let row = Waterfall { batch: 1, row: 1, shown: 2, steps: vec![1, 2], lacking };
        for (own, later, again) in [
            (NotFound, Idle, true),
            (NotFound, Queued, true),
            (NotFound, Asked, false),
            (NotFound, Found, false),
            (NotFound, NotFound, false),
            (Found, Idle, false),
        ] {
            let states =
                States::from([(1, (Provider::Clodura, own)), (2, (Provider::Ocean, later))]);
            assert_eq!(
                is_last_word(1, std::slice::from_ref(&row), &states),
                again,
                "{own} {later}"
            );
        }
        let states = States::from([(2, (Provider::Clodura, NotFound))]);
        assert!(is_last_word(2, &[row], &states), "the last step");
    }
}
