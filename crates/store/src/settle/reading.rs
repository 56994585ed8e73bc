//! Reading whom deliveries may touch.

use std::collections::{BTreeSet, HashMap};

use crate::Result;
use crate::conn::{Conn, rows};
use crate::runs::{Numbers, in_runs};
use crate::totals::json;

/// Somebody in a call: the call, their place in it, the person, who pays, what is reserved, what it cost.
pub(super) type MemberRow = (i64, i64, i64, i64, i64, Option<i64>);

/// Who is in these calls.
pub(super) async fn members(conn: &mut Conn, calls: &BTreeSet<i64>) -> Result<Vec<MemberRow>> {
    let calls: Vec<i64> = calls.iter().copied().collect();
    let mut members = Vec::new();
    for some in in_runs(&calls) {
        let rows: Vec<MemberRow> = match some {
            Numbers::Run(run) => rows!(
                conn,
                "SELECT m.call_id, m.position, m.reveal_id, m.payer, m.reserved, m.credits FROM call_reveals m
                 WHERE m.call_id BETWEEN $1 AND $2",
                *run.start(),
                *run.end(),
            )?,
            Numbers::Others(calls) => rows!(
                conn,
                "SELECT m.call_id, m.position, m.reveal_id, m.payer, m.reserved, m.credits FROM IDS($1) AS e
                 JOIN call_reveals m ON m.call_id = CAST(e.value AS BIGINT)",
                json(&calls),
            )?,
        };
        members.extend(rows);
    }
    Ok(members)
}

/// By what somebody is asked, their state, and the call they are or were in last.
pub(super) type Standing = (String, String, Option<i64>);

/// Locks people in the order of their numbers, and reads how they stand.
pub(super) async fn lock_people(
    conn: &mut Conn,
    ids: &BTreeSet<i64>,
) -> Result<HashMap<i64, Standing>> {
    let ids: Vec<i64> = ids.iter().copied().collect();
    let mut people = HashMap::with_capacity(ids.len());
    for some in in_runs(&ids) {
        let rows: Vec<(i64, String, String, Option<i64>)> = match some {
            Numbers::Run(run) => rows!(
                conn,
                "SELECT r.id, r.subject, r.state, r.call_id FROM reveals r
                 WHERE r.id BETWEEN $1 AND $2 ORDER BY r.id FOR UPDATE OF r",
                *run.start(),
                *run.end(),
            )?,
            Numbers::Others(ids) => rows!(
                conn,
                "SELECT r.id, r.subject, r.state, r.call_id FROM IDS($1) AS e
                 JOIN reveals r ON r.id = CAST(e.value AS BIGINT) ORDER BY r.id FOR UPDATE OF r",
                json(&ids),
            )?,
        };
        people.extend(
            rows.into_iter().map(|(id, subject, state, call)| (id, (subject, state, call))),
        );
    }
    Ok(people)
}
