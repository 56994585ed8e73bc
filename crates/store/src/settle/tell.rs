//! What a delivery means beyond its people: the inbox, and the gates.

use std::collections::HashSet;
use std::time::Duration;

use jobs::verdict::{Closing, GateReason, Until};
use jobs::{Policy, Provider, Timestamp};
use serde::Serialize;

use super::ledger::Ledger;
use super::{Applied, Delivery};
use crate::conn::{Conn, exec};
use crate::erase::bodies::{cut_out, encoded};
use crate::erase::remember;
use crate::gate::{self, Gate};
use crate::totals::json;
use crate::{Result, StoreError};

/// How exactly it is known when a provider's last webhook came: not worth a write for each.
pub(super) const WEBHOOK_NOTE: Duration = Duration::from_secs(60);

pub(super) async fn write_inbox(
    conn: &mut Conn,
    deliveries: &[Delivery],
    outcomes: &[Applied],
    now: Timestamp,
) -> Result<()> {
    #[derive(Serialize)]
    struct Row {
        id: i64,
        outcome: &'static str,
    }
    let done: Vec<Row> = deliveries
        .iter()
        .zip(outcomes)
        .filter_map(|(delivery, outcome)| {
            Some(Row { id: delivery.inbox?, outcome: outcome.as_str() })
        })
        .collect();
    if done.is_empty() {
        return Ok(());
    }
    let changed = exec!(
        conn,
        "UPDATE webhook_inbox SET outcome = e.value->>'outcome', applied_at = $2,
            body = CASE WHEN e.value->>'outcome' = 'erased' THEN NULL ELSE body END
         FROM EACH($1) AS e WHERE webhook_inbox.id = CAST(e.value->>'id' AS BIGINT) AND outcome IS NULL",
        json(&done),
        now.0,
    )?;
    if changed == done.len() as u64 {
        Ok(())
    } else {
        Err(StoreError::Lost { what: "a stored webhook".into(), why: "another worker applied it" })
    }
}

/// Of erased people nothing is kept that came, but the hashes of ids that turned out to be theirs.
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

/// A webhook proves the webhook URL, and frees credits that others may have waited for.
pub(super) async fn tell_gates(
    conn: &mut Conn,
    ledger: &Ledger,
    deliveries: &[Delivery],
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    let webhooks: HashSet<Provider> = deliveries
        .iter()
        .filter(|delivery| delivery.inbox.is_some())
        .filter_map(|delivery| ledger.calls.get(&delivery.call_id))
        .map(|call| call.provider)
        .collect();
    for provider in webhooks {
        exec!(
            conn,
            "UPDATE provider_gates SET canary_proved_at = $2
             WHERE provider = $1 AND canary_url IS NOT NULL AND canary_proved_at IS NULL",
            provider.as_str(),
            now.0,
        )?;
        exec!(
            conn,
            "UPDATE provider_gates SET webhook_at = $2
             WHERE provider = $1 AND (webhook_at IS NULL OR webhook_at < $3)",
            provider.as_str(),
            now.0,
            (now - WEBHOOK_NOTE).0,
        )?;
        exec!(
            conn,
            "UPDATE provider_gates SET closed_until = $2
             WHERE provider = $1 AND state = 'closed' AND reason = 'credits_pending' AND closed_until > $2",
            provider.as_str(),
            now.0,
        )?;
    }
    // A result for the call that probes a gate says that it was taken, whoever waits for its response.
    let calls: Vec<i64> = ledger.calls.values().map(|call| call.id).collect();
    gate::open_probed(conn, &calls).await?;
    for provider in &ledger.out_of_credits {
        let gate = Gate::lock(conn, *provider).await?;
        let closing = Closing {
            reason: GateReason::CreditsInsufficient,
            message: None,
            until: Until::Mended,
        };
        gate::close(conn, *provider, &gate, &closing, policy, now).await?;
    }
    Ok(())
}
