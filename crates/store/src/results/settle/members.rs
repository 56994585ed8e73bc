//! Reads the people that deliveries may change.

use std::collections::{BTreeSet, HashMap};

use db::Conn;
use db::bulk::fetch_by_ids;

use crate::error::Result;

/// A person in a call: the call, the place in it, the reveal, the paying batch, what is reserved, what was charged.
pub(super) type MemberRow = (i64, i64, i64, i64, i64, Option<i64>);

/// The people in these calls.
pub(super) async fn members(conn: &mut Conn, calls: &BTreeSet<i64>) -> Result<Vec<MemberRow>> {
    let calls: Vec<i64> = calls.iter().copied().collect();
    Ok(fetch_by_ids(
        conn,
        "SELECT m.call_id, m.position, m.reveal_id, m.payer, m.reserved, m.credits
                    FROM IDS OF call_reveals m BY m.call_id",
        &calls,
    )
    .await?)
}

/// The identifier that a person is asked by, the state, and the call they are or were in last.
pub(super) type Standing = (String, String, Option<i64>);

/// Locks people in the order of their ids, and reads how they stand.
pub(super) async fn lock_people(
    conn: &mut Conn,
    ids: &BTreeSet<i64>,
) -> Result<HashMap<i64, Standing>> {
    let ids: Vec<i64> = ids.iter().copied().collect();
    let people: Vec<(i64, String, String, Option<i64>)> = fetch_by_ids(
        conn,
        "SELECT r.id, r.subject, r.state, r.call_id
                    FROM IDS OF reveals r BY r.id ORDER BY r.id FOR UPDATE OF r",
        &ids,
    )
    .await?;
    let standing = |(id, subject, state, call)| (id, (subject, state, call));
    Ok(people.into_iter().map(standing).collect())
}
