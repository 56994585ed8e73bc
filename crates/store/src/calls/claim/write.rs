//! Writing calls down, and taking their cost off rate and quota.

use std::collections::HashMap;

use db::Conn;
use db::bulk::{fetch_for_rows, ints, same, same_text, texts, words, write_ranges, write_rows};
use jobs::rate::Grant;
use jobs::{CallId, Credits, RevealState, Tariff, Timestamp};

use crate::calls::claim::paying::CallPlan;
use crate::calls::claim::send_slot::ClaimTime;
use crate::calls::claimed::{ClaimReveals, ClaimedCall, Claims};
use crate::decode::credits;
use crate::error::Result;
use crate::gates::gate;
use crate::gates::gate::{Gate, Going};
use crate::reveals::counters::Totals;
use crate::reveals::transition::REVEAL;

/// Writes the calls down and takes their cost off rate and quota.
pub(super) async fn write_planned(
    conn: &mut Conn,
    totals: &mut Totals,
    ask: &ClaimReveals,
    gate: &Gate,
    planned: Vec<CallPlan>,
    probe: bool,
    time: &ClaimTime,
) -> Result<Claims> {
    let now = time.now;
    if planned.is_empty() {
        return Ok(Claims::default());
    }
    let isolating = planned.iter().filter(|call| call.isolating).count();
    let grant = time.grant(ask, gate, planned.len());
    let going = Going {
        requests: planned.len(),
        isolating,
        tat_us: grant.tat_us,
        poll_tat_us: None,
        rate_limit: ask.rate,
    };
    gate::count_requests(conn, ask.provider, gate, going, now).await?;
    let tariff = ask.price.plan().or(gate.tariff);
    let sent = Sent { probe, number_price: tariff.and_then(Tariff::per_number), now };
    let calls = write_calls(conn, totals, ask, planned, sent, &grant, time).await?;
    if let Some(call) = calls.first().filter(|_| probe) {
        conn.execute(
            "UPDATE provider_gates SET state = 'probing', probe_call = $2 WHERE provider = $1",
            &[&ask.provider.as_str(), &call.id],
        )
        .await?;
    }
    Ok(Claims { calls, again_at: Some(Timestamp(grant.next_at_ms)), paced: true })
}

/// What the calls of a claim have in common.
#[derive(Clone, Copy)]
struct Sent {
    probe: bool,
    /// What each number will cost, where numbers are charged and the plan is known.
    number_price: Option<Credits>,
    now: Timestamp,
}

struct NewMember {
    call: i64,
    position: i64,
    reveal: i64,
    payer: i64,
    reserved: Credits,
}

async fn write_calls(
    conn: &mut Conn,
    totals: &mut Totals,
    ask: &ClaimReveals,
    planned: Vec<CallPlan>,
    sent: Sent,
    grant: &Grant,
    time: &ClaimTime,
) -> Result<Vec<ClaimedCall>> {
    let Sent { probe, now, .. } = sent;
    let ids: Vec<CallId> = planned.iter().map(|_| CallId::generate()).collect();
    let numbers = insert_calls(conn, ask, &planned, &ids, sent).await?;
    let mut calls = Vec::with_capacity(planned.len());
    let mut members = Vec::new();
    let (queued, asked) = ((ask.provider, RevealState::Queued), (ask.provider, RevealState::Asked));
    for (nth, (call_id, call)) in ids.into_iter().zip(planned).enumerate() {
        let Some(&id) = numbers.get(&call_id.to_string()) else { continue };
        for (position, (person, payer)) in (0..).zip(call.people.iter().zip(&call.payers)) {
            for &(batch, rows) in &person.rows {
                totals.moved(batch, queued, asked, rows);
            }
            members.push(NewMember {
                call: id,
                position,
                reveal: person.id,
                payer: *payer,
                reserved: call.price,
            });
        }
        calls.push(ClaimedCall {
            call_id,
            provider: ask.provider,
            kind: call.kind,
            sent_at: now,
            send_slot: time.instant_of(grant.send_slot_us(nth)),
            people: call.people.into_iter().map(|p| p.subject).collect(),
            id,
            worker: ask.worker,
            probe,
        });
    }
    write_members(conn, &members, now).await?;
    Ok(calls)
}

/// Inserts the calls; returns the row id of each by its call id.
async fn insert_calls(
    conn: &mut Conn,
    ask: &ClaimReveals,
    planned: &[CallPlan],
    ids: &[CallId],
    Sent { probe, number_price, now }: Sent,
) -> Result<HashMap<String, i64>> {
    let column = |of: fn(&CallPlan) -> Option<i64>| ints(planned.iter().map(of));
    let columns = vec![
        ("call_id", texts(ids.iter().map(|id| Some(id.to_string())))),
        ("kind", words(planned.iter().map(|call| Some(call.kind.as_str())))),
        ("provider", same_text(ask.provider.as_str(), planned.len())),
        ("worker", same_text(&*ask.worker.to_string(), planned.len())),
        ("people", column(|call| i64::try_from(call.people.len()).ok())),
        ("attempt", column(|call| call.people.iter().map(|p| p.attempts + 1).max())),
        ("probe", same(i64::from(probe), planned.len())),
        ("now", same(now.0, planned.len())),
        ("repeat_of", column(|call| call.people.iter().find_map(|p| p.repeat_of))),
        ("number_price", same(number_price.map(Credits::thousandths), planned.len())),
    ];
    let numbers: Vec<(i64, String)> = fetch_for_rows(
        conn,
        "INSERT INTO calls (call_id, kind, provider, state, worker_id, people, open_people, attempt, probe, sent_at, repeat_of, number_price)
         SELECT e.call_id, e.kind, e.provider, 'sending', e.worker, e.people, e.people, e.attempt, e.probe, e.now, e.repeat_of, e.number_price
         FROM ROWS RETURNING id, call_id",
        columns,
    )
    .await?;
    Ok(numbers.into_iter().map(|(id, call_id)| (call_id, id)).collect())
}

async fn write_members(conn: &mut Conn, members: &[NewMember], now: Timestamp) -> Result<()> {
    let columns = vec![
        ("call", ints(members.iter().map(|m| m.call))),
        ("position", ints(members.iter().map(|m| m.position))),
        ("reveal", ints(members.iter().map(|m| m.reveal))),
        ("payer", ints(members.iter().map(|m| m.payer))),
        ("reserved", credits(members.iter().map(|m| m.reserved))),
    ];
    write_rows(
        conn,
        "INSERT INTO call_reveals (call_id, position, reveal_id, payer, reserved)
         SELECT e.call, e.position, e.reveal, e.payer, e.reserved FROM ROWS",
        columns,
    )
    .await?;
    let columns = vec![
        ("id", ints(members.iter().map(|m| m.reveal))),
        ("call", ints(members.iter().map(|m| m.call))),
        ("now", same(now.0, members.len())),
    ];
    write_ranges(
        conn,
        "UPDATE reveals SET state = 'asked', reason = NULL, due_at = NULL, updated_at = e.now,
            asked_at = COALESCE(asked_at, e.now), call_id = e.call
         FROM ROWS WHERE reveals.id = e.id",
        &REVEAL,
        columns,
    )
    .await?;
    Ok(())
}
