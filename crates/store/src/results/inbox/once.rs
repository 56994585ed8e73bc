//! Each body is kept once, however often it comes to the same address, and an address takes so many of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use db::{Conn, record};
use jobs::reception::AddressUse;
use jobs::{Reception, Timestamp};

use crate::error::Result;
use crate::results::bodies::forgotten;
use crate::results::inbox::new_webhook::{NewWebhook, Writing};
use crate::results::inbox::reception::address_uses;

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
    /// Its address takes no more bodies: nothing is to be written.
    Refused(Reception),
}

impl Arrival {
    /// Whether the address took the body.
    pub(super) fn reception(self) -> Reception {
        if let Arrival::Refused(reception) = self { reception } else { Reception::Open }
    }

    /// Whether anything is written.
    pub(super) fn is_written(self) -> bool {
        !matches!(self, Arrival::Unread | Arrival::Refused(_))
    }

    /// Counts a body of this many bytes for those that follow in the same transaction.
    fn count(self, used: &mut AddressUse, bytes: usize) {
        used.bodies += i64::from(self.is_written());
        if self == Arrival::First {
            used.bytes = used.bytes.saturating_add_unsigned(bytes as u64);
        }
    }
}

/// A webhook, when it came, and what becomes of it.
pub(super) type Came = (Arc<NewWebhook>, Timestamp, Arrival);

/// Distinguishes new bodies from bodies that are kept already, and from those that an address doesn't take. A body that
/// was kept as unreadable and can be read now is applied from where it is kept.
pub(super) async fn with_arrivals(conn: &mut Conn, came: Vec<Writing>) -> Result<Vec<Came>> {
    let calls: BTreeSet<&str> = came.iter().map(|one| &*one.webhook.call_id).collect();
    let mut uses = address_uses(conn, &calls).await?;
    let malformed = came.iter().map(|one| &one.webhook).filter(|webhook| webhook.malformed);
    let malformed: BTreeSet<&str> = malformed.map(|webhook| &*webhook.call_id).collect();
    let forgotten = match malformed.is_empty() {
        true => BTreeSet::new(),
        false => forgotten(conn, &malformed).await?.into_iter().map(str::to_owned).collect(),
    };
    let mut arrived: Vec<Came> = Vec::with_capacity(came.len());
    for Writing { webhook, at, is_acknowledged } in came {
        let same = |(other, _, arrival): &Came| {
            arrival.reception() == Reception::Open
                && (&other.call_id, &other.body) == (&webhook.call_id, &webhook.body)
        };
        let used = uses.entry(webhook.call_id.clone()).or_default();
        let reception = used.takes(webhook.body.len(), at);
        let arrival = if reception != Reception::Open && !is_acknowledged {
            Arrival::Refused(reception)
        } else if webhook.malformed && forgotten.contains(&*webhook.call_id) {
            Arrival::Forgotten
        } else if arrived.iter().any(same) {
            if webhook.malformed { Arrival::Unread } else { Arrival::Again }
        } else if used.bodies > 0 {
            of_kept(conn, &webhook).await?
        } else {
            Arrival::First
        };
        arrival.count(used, webhook.body.len());
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
