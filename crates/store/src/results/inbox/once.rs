//! Each body is kept once, however often it comes to the same address.

use std::collections::BTreeSet;
use std::sync::Arc;

use db::{Conn, Texts, record};
use jobs::Timestamp;

use crate::error::Result;
use crate::results::bodies::forgotten;
use crate::results::inbox::new_webhook::NewWebhook;

/// What becomes of a body that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It is new.
    First,
    /// It is kept already, and was or will be applied.
    Again,
    /// It is kept as unreadable, and still can't be read: nothing is to be written.
    Unread,
    /// It can't be read, and people of its call were erased or purged: only the record that it came may be kept.
    Forgotten,
}

/// A webhook, when it came, and what becomes of it.
pub(super) type Came = (Arc<NewWebhook>, Timestamp, Arrival);

/// Distinguishes new bodies from bodies that are kept already. A body that was kept as unreadable and can be read now
/// is applied from where it is kept.
pub(super) async fn with_arrivals(
    conn: &mut Conn,
    came: Vec<(Arc<NewWebhook>, Timestamp)>,
) -> Result<Vec<Came>> {
    let calls: BTreeSet<&str> = came.iter().map(|(one, _)| &*one.call_id).collect();
    let known: Vec<(String,)> = conn
        .fetch_all(
            "SELECT e.value FROM TEXTS($1) AS e
             WHERE EXISTS (SELECT 1 FROM webhook_inbox w WHERE w.call_id = e.value)",
            &[&Texts::of(calls)],
        )
        .await?;
    let malformed = came.iter().filter(|(one, _)| one.malformed);
    let malformed: BTreeSet<&str> = malformed.map(|(one, _)| &*one.call_id).collect();
    let forgotten = match malformed.is_empty() {
        true => BTreeSet::new(),
        false => forgotten(conn, &malformed).await?.into_iter().map(str::to_owned).collect(),
    };
    let mut arrived: Vec<Came> = Vec::with_capacity(came.len());
    for (webhook, at) in came {
        let same =
            |(other, ..): &Came| other.call_id == webhook.call_id && other.body == webhook.body;
        let arrival = if webhook.malformed && forgotten.contains(&*webhook.call_id) {
            Arrival::Forgotten
        } else if arrived.iter().any(same) {
            if webhook.malformed { Arrival::Unread } else { Arrival::Again }
        } else if known.iter().any(|(call,)| *call == webhook.call_id) {
            of_kept(conn, &webhook).await?
        } else {
            Arrival::First
        };
        arrived.push((webhook, at, arrival));
    }
    Ok(arrived)
}

record! {
    /// A webhook whose body is kept.
    struct KeptRow {
        id: i64,
        outcome: Option<String>,
        body: Vec<u8>,
    }
}

async fn of_kept(conn: &mut Conn, webhook: &NewWebhook) -> Result<Arrival> {
    let kept: Vec<KeptRow> = conn.fetch_all(
        "SELECT id, outcome, body FROM webhook_inbox WHERE call_id = $1 AND bytes = $2 AND body IS NOT NULL",
        &[&&*webhook.call_id, &(webhook.body.len() as i64)],
    )
    .await?;
    let same = kept.into_iter().find(|kept| kept.body == webhook.body);
    let Some(KeptRow { id, outcome, .. }) = same else { return Ok(Arrival::First) };
    if webhook.malformed {
        return Ok(Arrival::Unread);
    }
    if outcome.as_deref() == Some("malformed") {
        conn.execute(
            "UPDATE webhook_inbox SET outcome = NULL, applied_at = NULL WHERE id = $1",
            &[&id],
        )
        .await?;
    }
    Ok(Arrival::Again)
}
