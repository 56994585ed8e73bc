//! What deliveries mean for the gates. Each gate is read once and decides whether it has to be locked: seldom.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use db::Conn;
use jobs::outcome::Finding;
use jobs::price::EXPECTED_NUMBERS;
use jobs::verdict::{Closing, Until};
use jobs::{GateReason, GateState, Policy, Provider, Tariff, Timestamp};

use crate::error::Result;
use crate::gates::gate::Gate;
use crate::gates::unread_webhooks::{legible, note};
use crate::gates::{closing, state};
use crate::results::settle::delivery::Delivery;
use crate::results::settle::ledger::Ledger;

/// How exactly the time of a provider's last webhook is kept: it is not worth a write for each webhook.
const WEBHOOK_NOTE: Duration = Duration::from_secs(60);

/// The gates of the providers that sent deliveries.
pub(super) struct Gates {
    /// The plans that the accounts pay for, as far as they are known.
    pub(super) tariffs: BTreeMap<Provider, Tariff>,
    /// The gates that the deliveries may change.
    locked: BTreeSet<Provider>,
}

impl Gates {
    /// Reads the gates, and locks those that the deliveries may change. They come first in the order of locks.
    pub(super) async fn read(
        conn: &mut Conn,
        providers: &BTreeSet<Provider>,
        deliveries: &[Delivery],
        now: Timestamp,
    ) -> Result<Gates> {
        let news = News::of(deliveries);
        let mut gates = Gates { tariffs: BTreeMap::new(), locked: BTreeSet::new() };
        for &provider in providers {
            let gate = Gate::read(conn, provider).await?;
            gates.tariffs.extend(gate.tariff.map(|tariff| (provider, tariff)));
            if news.concerns(&gate, now) {
                gates.locked.insert(provider);
            }
        }
        Gate::lock_all(conn, gates.locked.iter().copied()).await?;
        Ok(gates)
    }
}

/// What deliveries bring that a gate may have to know.
struct News {
    by_webhook: bool,
    /// A person without credits, or whose numbers can't be read.
    is_bad: bool,
    /// The most numbers of one person; 0 where that is no more than expected.
    most_numbers: i64,
}

impl News {
    fn of(deliveries: &[Delivery]) -> News {
        let findings =
            || deliveries.iter().flat_map(Delivery::findings).map(|result| &result.finding);
        let numbers = findings().map(|finding| match finding {
            Finding::Found { phones, .. } => phones.len(),
            _ => 0,
        });
        let most = numbers.max().and_then(|most| i64::try_from(most).ok());
        News {
            by_webhook: deliveries.iter().any(|delivery| delivery.inbox.is_some()),
            is_bad: findings().any(|f| matches!(f, Finding::OutOfCredits | Finding::Unreadable)),
            most_numbers: most.filter(|most| *most > EXPECTED_NUMBERS).unwrap_or(0),
        }
    }

    fn concerns(&self, gate: &Gate, now: Timestamp) -> bool {
        let proves = gate.canary_url.is_some() && gate.canary_proved_at.is_none();
        let is_noted = gate.webhook_at.is_some_and(|at| at >= (now - WEBHOOK_NOTE).0);
        let frees = gate.breaker.state == GateState::Closed
            && gate.breaker.reason == Some(GateReason::CreditsPending);
        gate.probe_call.is_some()
            || gate.unread_since.is_some()
            || self.is_bad
            || gate.most_phones < self.most_numbers
            || (self.by_webhook && (proves || frees || !is_noted))
    }
}

/// Notifies the locked gates of webhooks: a webhook proves the webhook URL, and frees credits that other requests may have
/// waited for.
pub(super) async fn notify(
    conn: &mut Conn,
    gates: &Gates,
    ledger: &Ledger,
    deliveries: &[Delivery],
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    if gates.locked.is_empty() {
        return Ok(());
    }
    let webhooks: BTreeSet<Provider> = deliveries
        .iter()
        .filter(|delivery| delivery.inbox.is_some())
        .filter_map(|delivery| ledger.calls.get(&delivery.call_id))
        .map(|call| call.provider)
        .collect();
    for provider in webhooks.intersection(&gates.locked) {
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
            &[&provider.as_str(), &now.0, &(now - WEBHOOK_NOTE).0],
        )
        .await?;
    }
    let mut unread = BTreeMap::new();
    for delivery in deliveries {
        let call = ledger.calls.get(&delivery.call_id);
        let legible = legible(delivery.findings()).filter(|_| delivery.inbox.is_some());
        if let Some((call, legible)) =
            call.zip(legible).filter(|(call, _)| gates.locked.contains(&call.provider))
        {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gates::gate::GateRow;

    const NOW: Timestamp = Timestamp(10_000_000);

    /// A gate that knows of a webhook that came just now.
    fn gate(change: impl FnOnce(&mut GateRow)) -> Gate {
        let mut row = GateRow::open();
        row.webhook_at = Some(NOW.0);
        change(&mut row);
        Gate::of(row, Provider::Ocean).unwrap()
    }

    fn closed(reason: GateReason) -> Gate {
        let mut gate = gate(|_| ());
        (gate.breaker.state, gate.breaker.reason) = (GateState::Closed, Some(reason));
        gate
    }

    /// Which gates deliveries concern: results by a webhook, by a poll, and a bad one or one with seven numbers by a poll.
    #[test]
    fn a_gate_is_locked_only_if_deliveries_may_change_it() {
        let news = |by_webhook, is_bad, most_numbers| News { by_webhook, is_bad, most_numbers };
        let by = [
            news(true, false, 0),
            news(false, false, 0),
            news(false, true, 0),
            news(false, false, 7),
        ];
        let old = (NOW - WEBHOOK_NOTE - Duration::from_millis(1)).0;
        let cases = [
            ("knows all", gate(|row| row.most_phones = 7), [false, false, true, false]),
            ("had six numbers", gate(|row| row.most_phones = 6), [false, false, true, true]),
            ("is probed", gate(|row| row.probe_call = Some(1)), [true; 4]),
            ("could not read bodies", gate(|row| row.unread_since = Some(1)), [true; 4]),
            (
                "has an old webhook",
                gate(|row| row.webhook_at = Some(old)),
                [true, false, true, true],
            ),
            ("has no webhook", gate(|row| row.webhook_at = None), [true, false, true, true]),
            (
                "has a canary",
                gate(|row| row.canary_url = Some("url".into())),
                [true, false, true, true],
            ),
            ("waits for credits", closed(GateReason::CreditsPending), [true, false, true, true]),
            ("has no credits", closed(GateReason::CreditsInsufficient), [false, false, true, true]),
        ];
        for (name, gate, expected) in cases {
            let concerned = by.each_ref().map(|news| news.concerns(&gate, NOW));
            assert_eq!(concerned, expected, "a gate that {name}");
        }
        let proved =
            gate(|row| (row.canary_url, row.canary_proved_at) = (Some("url".into()), Some(1)));
        assert!(!by[0].concerns(&proved, NOW));
    }
}
