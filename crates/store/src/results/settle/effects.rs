//! What a delivery means beyond its people: the inbox, and the gates.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use db::Conn;
use db::bulk::{Key, ints, same, texts, write_ranges};
use jobs::verdict::{Closing, GateReason, Until};
use jobs::{Policy, Provider, Timestamp};

use crate::error::{Result, StoreError};
use crate::gates::gate::Gate;
use crate::gates::unread_webhooks::{legible, note};
use crate::gates::{closing, state};
use crate::people::erased::{remember, those_erased};
use crate::results::bodies::{cut_out, drop_bodies, encoded, purged};
use crate::results::settle::delivery::{Applied, Delivery};
use crate::results::settle::ledger::Ledger;

/// How exactly the time of a provider's last webhook is kept: it is not worth a write for each webhook.
pub(super) const WEBHOOK_NOTE: Duration = Duration::from_secs(60);

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

/// Notifies gates of webhooks: a webhook proves the webhook URL, and frees credits that other requests may have waited
/// for.
pub(super) async fn notify_gates(
    conn: &mut Conn,
    ledger: &Ledger,
    deliveries: &[Delivery],
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    let webhooks: BTreeSet<&str> = deliveries
        .iter()
        .filter(|delivery| delivery.inbox.is_some())
        .filter_map(|delivery| ledger.calls.get(&delivery.call_id))
        .map(|call| call.provider.as_str())
        .collect();
    for provider in webhooks {
        conn.execute(
            "UPDATE provider_gates SET
                canary_proved_at = CASE WHEN canary_url IS NULL THEN canary_proved_at
                                        ELSE COALESCE(canary_proved_at, CAST($2 AS BIGINT)) END,
                webhook_at = CASE WHEN webhook_at IS NULL OR webhook_at < $3 THEN $2 ELSE webhook_at END,
                closed_until = CASE WHEN state = 'closed' AND reason = 'credits_pending' AND closed_until > $2
                                    THEN $2 ELSE closed_until END
             WHERE provider = $1 AND (
                (canary_url IS NOT NULL AND canary_proved_at IS NULL)
                OR webhook_at IS NULL OR webhook_at < $3
                OR (state = 'closed' AND reason = 'credits_pending' AND closed_until > $2))",
            &[&provider, &now.0, &(now - WEBHOOK_NOTE).0],
        )
        .await?;
    }
    let mut unread = BTreeMap::new();
    for delivery in deliveries {
        let call = ledger.calls.get(&delivery.call_id);
        let legible = legible(&delivery.results).filter(|_| delivery.inbox.is_some());
        if let Some((call, legible)) = call.zip(legible) {
            unread.insert(call.provider, legible);
        }
    }
    for (provider, legible) in unread {
        note(conn, provider, legible, now).await?;
    }
    // A result for the call that probes a gate shows that the call was accepted, whatever its response will be.
    let calls: Vec<i64> = ledger.calls.values().map(|call| call.id).collect();
    state::open_probed(conn, &calls).await?;
    for (provider, numbers) in ledger.most_numbers() {
        // The credits reserved for a person from now on cover that many numbers.
        conn.execute(
            "UPDATE provider_gates SET most_phones = $2 WHERE provider = $1 AND most_phones < $2",
            &[&provider.as_str(), &numbers],
        )
        .await?;
    }
    for provider in &ledger.out_of_credits {
        let gate = Gate::lock(conn, *provider).await?;
        let closing =
            Closing { reason: GateReason::CreditsInsufficient, message: None, until: Until::Fixed };
        closing::close(conn, *provider, &gate, &closing, policy, now).await?;
    }
    Ok(())
}
