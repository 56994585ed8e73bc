//! People who were erased under an id that a lookup names: they are not asked for, and nothing about them is kept.

use std::collections::BTreeSet;

use db::Conn;
use db::bulk::{ints, texts, write_rows};
use jobs::{Provider, RevealState, Timestamp};

use crate::calls::looked_up::known::Identified;
use crate::error::Result;
use crate::people::erased::{end_rows, erased_among, placeholder, read_key, remember};
use crate::reveals::counters::Totals;
use crate::reveals::transition::{Change, shift};

/// Ends the people who were erased; returns the other people.
pub(super) async fn end_erased(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    identified: Vec<Identified>,
    now: Timestamp,
) -> Result<Vec<Identified>> {
    let Some(key) = read_key(conn).await? else { return Ok(identified) };
    let erased = erased_among(conn, &key, identified.iter().map(|one| &*one.id)).await?;
    let (gone, others): (Vec<_>, Vec<_>) =
        identified.into_iter().partition(|one| erased.contains(&*one.id));
    let ids: Vec<i64> = gone.iter().map(|one| one.reveal).collect();
    if ids.is_empty() {
        return Ok(others);
    }
    let addresses: BTreeSet<String> = gone.iter().map(|one| one.subject.to_string()).collect();
    remember(conn, &key, &addresses, now).await?;
    let change = Change { reason: Some("erased"), ..Change::to(RevealState::Cancelled) };
    shift(conn, totals, provider, &ids, change, now).await?;
    let hidden = gone.iter().map(|one| Some(placeholder(&key, &one.subject)));
    write_rows(
        conn,
        "UPDATE reveals SET subject = e.subject, owner = NULL, isolation_group = NULL, repeat_of = NULL
         FROM ROWS WHERE reveals.id = e.id",
        vec![("id", ints(ids.iter().copied())), ("subject", texts(hidden))],
    )
    .await?;
    end_rows(conn, &ids, now).await?;
    Ok(others)
}

/// Remembers, by their hashes, ids of people who were erased while they were looked up.
pub(super) async fn remember_ids(
    conn: &mut Conn,
    ids: BTreeSet<String>,
    now: Timestamp,
) -> Result<()> {
    match read_key(conn).await?.filter(|_| !ids.is_empty()) {
        Some(key) => remember(conn, &key, &ids, now).await,
        None => Ok(()),
    }
}
