//! Applying results, whichever way they came: one transaction for all their people. Applying is
//! idempotent; a better answer replaces a worse one, never the other way round.

mod aliases;
mod answers;
pub(crate) mod delivery;
mod effects;
mod gates;
mod ledger;
mod members;
mod outcome;
mod placing;
mod write;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use db::{Conn, Texts, record};
use jobs::{Policy, Provider, Timestamp};

use crate::decode::{parse_provider, parse_state};
use crate::error::Result;
use crate::people::links::evidence::persons_of;
use crate::people::resolve::RevealIds;
use crate::results::Results;
use crate::results::last_poll::wait_no_longer;
use crate::results::settle::aliases::learn_aliases;
use crate::results::settle::delivery::{Applied, Delivery};
use crate::results::settle::effects::{discard_erased, discard_unknown_people, write_inbox};
use crate::results::settle::gates::Gates;
use crate::results::settle::ledger::Ledger;
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
    let asked = asked(conn, &deliveries).await?;
    let providers: BTreeSet<Provider> = asked.iter().map(|one| one.provider).collect();
    let gates = Gates::read(conn, &providers, &deliveries, now).await?;
    // After the gates in the order of locks.
    let numbers = match learns_aliases(&deliveries, &asked) {
        true => Some(RevealIds::lock(conn).await?),
        false => None,
    };
    let mut ledger = Ledger::read(conn, &deliveries, &gates.tariffs).await?;
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
    gates::notify(conn, &gates, &ledger, &deliveries, policy, now).await?;
    count_results(conn, ledger.results(), now).await?;
    conn.announce(Topic::Queue);
    Ok(outcomes)
}

record! {
    struct AskedRow {
        call_id: String,
        provider: String,
        subject: Option<String>,
    }
}

/// A call that deliveries came for.
struct Asked {
    call_id: String,
    provider: Provider,
    /// The only person in it.
    subject: Option<String>,
}

/// Reads the calls that deliveries came for.
async fn asked(conn: &mut Conn, deliveries: &[Delivery]) -> Result<Vec<Asked>> {
    let found: Vec<AskedRow> = conn
        .fetch_all(
            "SELECT c.call_id, c.provider, r.subject FROM TEXTS($1) AS e JOIN calls c ON c.call_id = e.value
             LEFT JOIN call_reveals m ON m.call_id = c.id AND c.people = 1 LEFT JOIN reveals r ON r.id = m.reveal_id",
            &[&Texts::of(deliveries.iter().map(|d| d.call_id.as_str()).collect::<BTreeSet<_>>())],
        )
        .await?;
    let parse = |AskedRow { call_id, provider, subject }: AskedRow| {
        Ok(Asked { provider: parse_provider(&provider, 0)?, call_id, subject })
    };
    found.into_iter().map(parse).collect()
}

/// Whether a result names an id that its person was not asked by.
fn learns_aliases(deliveries: &[Delivery], asked: &[Asked]) -> bool {
    let asked: HashMap<&str, &Asked> = asked.iter().map(|one| (&*one.call_id, one)).collect();
    deliveries.iter().any(|delivery| {
        let Some(one) = asked.get(&*delivery.call_id) else { return false };
        let mut named = delivery.results.iter().filter_map(|named| named.subject.as_ref());
        one.subject.as_ref().is_some_and(|subject| named.any(|name| name != subject))
    })
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
