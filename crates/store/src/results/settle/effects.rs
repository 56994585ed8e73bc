//! What a delivery means beyond its people: the inbox, and the gates.

use std::collections::BTreeSet;

use db::Conn;
use db::bulk::{Key, ints, same, texts, write_ranges};
use jobs::{Provider, Timestamp};

use crate::error::{Result, StoreError};
use crate::people::erased::{remember, those_erased};
use crate::results::bodies::{cut_out, drop_bodies, encoded, purged};
use crate::results::settle::delivery::{Applied, Delivery};
use crate::results::settle::ledger::Ledger;

pub(super) async fn write_inbox(
    conn: &mut Conn,
    deliveries: &[Delivery],
    outcomes: &[Applied],
    now: Timestamp,
) -> Result<()> {
    let done: Vec<(i64, Applied)> = deliveries
        .iter()
        .zip(outcomes)
        .filter_map(|(delivery, outcome)| Some((delivery.inbox?, *outcome)))
        .collect();
    let columns = vec![
        ("id", ints(done.iter().map(|(id, _)| *id))),
        ("outcome", texts(done.iter().map(|(_, outcome)| Some(outcome.as_str())))),
        ("now", same(now.0, done.len())),
    ];
    let key = Key { of: "webhook_inbox.id", by: "id", within: None };
    let changed = write_ranges(
        conn,
        "UPDATE webhook_inbox SET outcome = e.outcome, applied_at = e.now,
            body = CASE WHEN e.outcome = 'erased' THEN NULL ELSE webhook_inbox.body END
         FROM ROWS WHERE webhook_inbox.id = e.id AND webhook_inbox.outcome IS NULL",
        &key,
        columns,
    )
    .await?;
    if changed == done.len() as u64 {
        Ok(())
    } else {
        Err(StoreError::Lost { what: "a stored webhook".into(), why: "another worker applied it" })
    }
}

/// Discards all that came about erased people, except the hashes of ids that turned out to be theirs.
pub(super) async fn discard_erased(conn: &mut Conn, ledger: &Ledger, now: Timestamp) -> Result<()> {
    let Some(key) = &ledger.erasure_key else { return Ok(()) };
    remember(conn, key, &ledger.erased, now).await?;
    let gone = |person: &str| {
        let identifiers = Provider::ALL.map(|provider| encoded(provider, person));
        identifiers.iter().flatten().any(|identifier| ledger.erased.contains(identifier))
    };
    for &inbox in &ledger.naming_erased {
        cut_out(conn, inbox, gone).await?;
    }
    Ok(())
}

/// Keeps bodies that match no person for later inspection, but cuts out people who were erased. Bodies of a purged call are
/// dropped, since all of its people were purged.
pub(super) async fn discard_unknown_people(
    conn: &mut Conn,
    ledger: &Ledger,
    deliveries: &[Delivery],
) -> Result<()> {
    let of_unknown = |delivery: &&Delivery| !ledger.calls.contains_key(&delivery.call_id);
    let unknown: Vec<&str> =
        deliveries.iter().filter(of_unknown).map(|delivery| delivery.call_id.as_str()).collect();
    let purged = purged(conn, &unknown).await?;
    let is_empty = |call: &str| ledger.calls.get(call).is_some_and(|call| call.members.is_empty());
    let of_purged = deliveries
        .iter()
        .filter(|one| purged.contains(one.call_id.as_str()) || is_empty(&one.call_id));
    let inbox: Vec<i64> = of_purged.filter_map(|delivery| delivery.inbox).collect();
    if !inbox.is_empty() {
        drop_bodies(conn, &inbox).await?;
    }
    if ledger.unknown_people.is_empty() {
        return Ok(());
    }
    for unknown_person in ledger.unknown_people.iter().filter(|one| one.was_purged) {
        cut_out(conn, unknown_person.inbox, |person| person == unknown_person.person_id).await?;
    }
    let named =
        |person: &str| Provider::ALL.into_iter().filter_map(|of| encoded(of, person)).collect();
    let all: BTreeSet<String> = ledger
        .unknown_people
        .iter()
        .flat_map(|one| -> Vec<String> { named(&one.person_id) })
        .collect();
    let erased = those_erased(conn, &all).await?;
    let is_erased = |person: &str| -> bool {
        let identifiers: Vec<String> = named(person);
        identifiers.iter().any(|identifier| erased.contains(identifier))
    };
    for unknown_person in ledger.unknown_people.iter().filter(|one| is_erased(&one.person_id)) {
        cut_out(conn, unknown_person.inbox, is_erased).await?;
    }
    Ok(())
}
