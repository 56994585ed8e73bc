//! Applying results, whichever way they came: one transaction for all their people. Applying is
//! idempotent; a better answer replaces a worse one, never the other way round.

mod aliases;
mod answers;
pub(crate) mod delivery;
mod effects;
mod ledger;
mod members;
mod outcome;
mod placing;
mod write;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use db::{Conn, Texts, record};
use jobs::outcome::Finding;
use jobs::price::EXPECTED_NUMBERS;
use jobs::{Policy, Provider, Timestamp};

use crate::decode::{parse_provider, parse_state};
use crate::error::Result;
use crate::people::links::evidence::persons_of;
use crate::people::resolve::RevealIds;
use crate::results::Results;
use crate::results::last_poll::wait_no_longer;
use crate::results::settle::aliases::learn_aliases;
use crate::results::settle::delivery::{Applied, Delivery};
use crate::results::settle::effects::{
    WEBHOOK_NOTE, discard_erased, discard_unknown_people, notify_gates, write_inbox,
};
use crate::results::settle::ledger::Ledger;
use crate::results::settle::placing::subject_of;
use crate::results::taken_back::take_back;
use crate::results::throughput::count_results;
use crate::reveals::charge::display_charges_again;
use crate::reveals::counters::Totals;
use crate::reveals::transition::give_way;
use crate::reveals::waterfall::waits;
use crate::topic::Topic;

impl Results<'_> {
    /// Applies deliveries; returns the outcome of each, in their order.
    ///
    /// # Errors
    /// The database can't be used; nothing was applied then.
    pub async fn settle(self, deliveries: Vec<Delivery>, policy: &Policy) -> Result<Vec<Applied>> {
        let (now, policy) = (self.store.now(), policy.clone());
        self.store
            .db
            .write(move |conn| {
                Box::pin(async move {
                    let mut totals = Totals::default();
                    let outcomes = settle(conn, &mut totals, deliveries, &policy, now).await?;
                    totals.flush(conn, now).await?;
                    Ok(outcomes)
                })
            })
            .await
    }
}

/// Applies deliveries. The caller writes the counts, last of all: every sender and every answer for these batches waits
/// from that write to the commit.
pub(crate) async fn settle(
    conn: &mut Conn,
    totals: &mut Totals,
    deliveries: Vec<Delivery>,
    policy: &Policy,
    now: Timestamp,
) -> Result<Vec<Applied>> {
    let numbers = lock_first(conn, &deliveries, now).await?;
    let mut ledger = Ledger::read(conn, &deliveries).await?;
    let outcomes: Vec<Applied> = deliveries.iter().map(|delivery| ledger.take(delivery)).collect();
    let same = learn_aliases(conn, &mut ledger, numbers).await?;
    answer_newer(conn, &mut ledger).await?;
    for call in ledger.unasked_late() {
        wait_no_longer(conn, call, now).await?;
    }
    ledger.write(conn, totals, now).await?;
    give_way(conn, totals, &same, now).await?;
    let deadline = i64::try_from(policy.result_deadline.as_millis()).unwrap_or(i64::MAX / 2);
    for &call in &ledger.taken_after_all {
        take_back(conn, totals, call, deadline, now).await?;
    }
    display_charges_again(conn, &ledger.answered_late()).await?;
    write_inbox(conn, &deliveries, &outcomes, now).await?;
    discard_erased(conn, &ledger, now).await?;
    discard_unknown_people(conn, &ledger, &deliveries).await?;
    notify_gates(conn, &ledger, &deliveries, policy, now).await?;
    count_results(conn, ledger.results(), now).await?;
    conn.announce(Topic::Queue);
    Ok(outcomes)
}

/// Gates come first in the order of locks, then the ids under which people are resolved. Takes the locks that these
/// deliveries may need: none of them, most of the time.
async fn lock_first(
    conn: &mut Conn,
    deliveries: &[Delivery],
    now: Timestamp,
) -> Result<Option<RevealIds>> {
    let mut results = deliveries.iter().flat_map(|delivery| &delivery.results);
    let by_webhook = deliveries.iter().any(|delivery| delivery.inbox.is_some());
    let names: Vec<&str> = deliveries.iter().map(|d| d.call_id.as_str()).collect();
    let _: Vec<(String,)> = conn.fetch_all(
        "SELECT provider FROM provider_gates
         WHERE provider IN (SELECT c.provider FROM TEXTS($1) AS e JOIN calls c ON c.call_id = e.value)
           AND (probe_call IS NOT NULL OR unread_since IS NOT NULL OR $3 = 1 OR most_phones < $5 OR ($4 = 1 AND (
                (canary_url IS NOT NULL AND canary_proved_at IS NULL)
                OR (state = 'closed' AND reason = 'credits_pending')
                OR webhook_at IS NULL OR webhook_at < $2)))
         ORDER BY provider FOR UPDATE",
        &[
            &Texts::of(&names),
            &(now - WEBHOOK_NOTE).0,
            &i64::from(results.any(|result| matches!(result.finding, Finding::OutOfCredits | Finding::Unreadable))),
            &i64::from(by_webhook),
            &most_numbers(deliveries),
        ],
    )
    .await?;
    match learns_aliases(conn, deliveries, &names).await? {
        true => RevealIds::lock(conn).await.map(Some),
        false => Ok(None),
    }
}

/// The most numbers of one person in these deliveries; 0 where that is no more than expected.
fn most_numbers(deliveries: &[Delivery]) -> i64 {
    let results = deliveries.iter().flat_map(|delivery| &delivery.results);
    let numbers = results.map(|result| match &result.finding {
        Finding::Found { phones, .. } => phones.len(),
        _ => 0,
    });
    let most = numbers.max().and_then(|most| i64::try_from(most).ok());
    most.filter(|most| *most > EXPECTED_NUMBERS).unwrap_or(0)
}

record! {
    /// The only person in a call.
    struct AskedRow {
        call_id: String,
        provider: String,
        subject: String,
    }
}

/// Whether a result names an id that its person was not asked by.
async fn learns_aliases(conn: &mut Conn, deliveries: &[Delivery], names: &[&str]) -> Result<bool> {
    let asked: Vec<AskedRow> = conn
        .fetch_all(
            "SELECT c.call_id, c.provider, r.subject FROM TEXTS($1) AS e
             JOIN calls c ON c.call_id = e.value AND c.people = 1
             JOIN call_reveals m ON m.call_id = c.id JOIN reveals r ON r.id = m.reveal_id",
            &[&Texts::of(names)],
        )
        .await?;
    for AskedRow { call_id, provider, subject } in asked {
        let provider = parse_provider(&provider, 0)?;
        let own = deliveries.iter().filter(|delivery| delivery.call_id == call_id);
        let mut named = own.flat_map(|d| &d.results).filter_map(|r| subject_of(provider, r));
        if named.any(|name| name != subject) {
            return Ok(true);
        }
    }
    Ok(false)
}

record! {
    /// A request for a person whose answer came late.
    struct RevealRow {
        id: i64,
        subject: String,
        state: String,
        generation: i64,
    }
}

/// Lets a late answer count for every newer request for the same person, under any identifier. A request that waits is not
/// paid for a second time; a request that is out, or got a lesser answer, shows the late one.
async fn answer_newer(conn: &mut Conn, ledger: &mut Ledger) -> Result<()> {
    let late = ledger.late();
    if late.is_empty() {
        return Ok(());
    }
    let persons = persons_of(conn, late.values().map(|(_, subject)| Arc::clone(subject))).await?;
    for provider in Provider::ALL {
        let of_provider = late.iter().filter(|(_, (of, _))| *of == provider);
        let answered: HashMap<&Arc<str>, i64> = of_provider
            .flat_map(|(id, (_, subject))| persons.with(subject).iter().map(|one| (one, *id)))
            .collect();
        let found: Vec<RevealRow> = conn
            .fetch_all(
                "SELECT r.id, r.subject, r.state, r.generation FROM TEXTS($1) AS e
                 JOIN reveals r ON r.provider = $2 AND r.subject = e.value
                 WHERE r.state <> 'cancelled' ORDER BY r.id FOR UPDATE OF r",
                &[&Texts::of(answered.keys().collect::<BTreeSet<_>>()), &provider.as_str()],
            )
            .await?;
        let generations: HashMap<i64, i64> =
            found.iter().map(|row| (row.id, row.generation)).collect();
        for RevealRow { id, subject, state, generation } in found {
            let Some(answer) = answered.get(&Arc::from(subject)) else { continue };
            let state = parse_state(&state, id)?;
            let is_newer = generations.get(answer).is_some_and(|older| generation > *older);
            if is_newer || waits(state) {
                ledger.answer_along(id, state, *answer);
            }
        }
    }
    Ok(())
}
