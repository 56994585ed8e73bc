//! Reads the people that deliveries may change.

use std::collections::{BTreeSet, HashMap};

use db::bulk::fetch_by_ids;
use db::{Conn, record};
use jobs::Credits;

use crate::decode::optional_credits;
use crate::error::Result;

record! {
    /// A person in a call.
    pub(super) struct MemberRow {
        pub(super) call_id: i64,
        /// The place in the call.
        pub(super) position: i64,
        pub(super) reveal_id: i64,
        /// The paying batch.
        pub(super) payer: i64,
        pub(super) reserved: Credits = Credits::from_thousandths,
        /// What was charged.
        pub(super) credits: Option<Credits> = optional_credits,
    }
}

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

record! {
    /// The state of a person.
    pub(super) struct Standing {
        id: i64,
        /// The identifier that they are asked by.
        pub(super) subject: String,
        pub(super) state: String,
        /// The call that they are or were in last.
        pub(super) call_id: Option<i64>,
    }
}

/// Locks people in the order of their ids, and reads their states.
pub(super) async fn lock_people(
    conn: &mut Conn,
    ids: &BTreeSet<i64>,
) -> Result<HashMap<i64, Standing>> {
    let ids: Vec<i64> = ids.iter().copied().collect();
    let people: Vec<Standing> = fetch_by_ids(
        conn,
        "SELECT r.id, r.subject, r.state, r.call_id
         FROM IDS OF reveals r BY r.id ORDER BY r.id FOR UPDATE OF r",
        &ids,
    )
    .await?;
    Ok(people.into_iter().map(|person| (person.id, person)).collect())
}
