//! Webhooks that can't be read: their results are paid for and lost. Until one can be read again, one small
//! call at a time goes to the provider.

use std::collections::BTreeSet;

use db::Conn;
use jobs::outcome::{Finding, PersonResult};
use jobs::{Provider, Timestamp};

use crate::error::Result;
use crate::gates::gate::Gate;

/// Whether a body shows that answers can be read, ordered by how much it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Legible {
    /// It says of no person that they were found.
    Body,
    /// People were found, and none of their numbers can be read.
    Nothing,
    /// It has a number.
    Number,
}

/// Returns what results show; `None` if there are no results.
pub(crate) fn legible<'r>(results: impl Iterator<Item = &'r PersonResult>) -> Option<Legible> {
    let shown = |result: &PersonResult| match result.finding {
        Finding::Found { .. } => Legible::Number,
        Finding::Unreadable => Legible::Nothing,
        _ => Legible::Body,
    };
    results.map(shown).max()
}

impl Gate {
    /// Whether a small call was sent since webhooks can't be read, and its results are still out.
    pub(crate) async fn unread_call_is_out(
        &self,
        conn: &mut Conn,
        provider: Provider,
    ) -> Result<bool> {
        let Some(since) = self.unread_since else { return Ok(false) };
        let sending: Option<(i64,)> = conn
            .fetch_optional(
                "SELECT id FROM calls WHERE provider = $1 AND state = 'sending' LIMIT 1",
                &[&provider.as_str()],
            )
            .await?;
        // The call with the latest deadline is the newest.
        let newest: Option<(i64,)> = conn
            .fetch_optional(
                "SELECT sent_at FROM calls WHERE provider = $1 AND deadline_at IS NOT NULL
                 ORDER BY deadline_at DESC LIMIT 1",
                &[&provider.as_str()],
            )
            .await?;
        Ok(sending.is_some() || newest.is_some_and(|(sent_at,)| sent_at >= since))
    }
}

/// Notes that an unreadable body came for each of these calls. If all people of a call have their results, the body hides
/// none.
pub(crate) async fn body_is_unread(
    conn: &mut Conn,
    calls: &BTreeSet<(Provider, &str)>,
    now: Timestamp,
) -> Result<()> {
    for (provider, call_id) in calls {
        conn.execute(
            "UPDATE provider_gates SET unread_since = COALESCE(unread_since, $3), unread_numbers = 0
             WHERE provider = $1 AND EXISTS (
                SELECT 1 FROM calls c WHERE c.call_id = $2 AND c.provider = $1 AND c.open_people > 0)",
            &[&provider.as_str(), call_id, &now.0],
        )
        .await?;
    }
    Ok(())
}

/// Stores what the results of a provider showed; of several results, the last one counts.
pub(crate) async fn note(
    conn: &mut Conn,
    provider: Provider,
    legible: Legible,
    now: Timestamp,
) -> Result<()> {
    match legible {
        Legible::Nothing => {
            conn.execute(
                "UPDATE provider_gates SET unread_since = $2, unread_numbers = 1
                 WHERE provider = $1 AND unread_since IS NULL",
                &[&provider.as_str(), &now.0],
            )
            .await?
        }
        Legible::Number | Legible::Body => {
            conn.execute(
                "UPDATE provider_gates SET unread_since = NULL, unread_numbers = 0
                 WHERE provider = $1 AND unread_since IS NOT NULL AND ($2 = 1 OR unread_numbers = 0)",
                &[&provider.as_str(), &i64::from(legible == Legible::Number)],
            )
            .await?
        }
    };
    Ok(())
}
