//! Writing calls down, and taking their cost off rate and quota.

use std::collections::HashMap;

use db::bulk::{ints, same, write_ranges, write_rows};
use db::{Conn, json};
use jobs::rate::Grant;
use jobs::{CallId, Credits, RevealState, Tariff, Timestamp};
use serde::Serialize;

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
    #[derive(Serialize)]
    struct Row<'a> {
        call_id: &'a CallId,
        kind: &'static str,
        people: usize,
        attempt: i64,
        repeat_of: Option<i64>,
    }
    fn row<'a>((call_id, call): (&'a CallId, &CallPlan)) -> Row<'a> {
        Row {
            call_id,
            kind: call.kind.as_str(),
            people: call.people.len(),
            attempt: call.people.iter().map(|p| p.attempts).max().unwrap_or(0) + 1,
            repeat_of: call.people.iter().find_map(|p| p.repeat_of),
        }
    }
    let new: Vec<Row> = ids.iter().zip(planned).map(row).collect();
    let numbers: Vec<(i64, String)> = conn.fetch_all(
        "INSERT INTO calls (call_id, kind, provider, state, worker_id, people, open_people, attempt, probe, sent_at, repeat_of, number_price)
         SELECT e.value->>'call_id', e.value->>'kind', $2, 'sending', $3, CAST(e.value->>'people' AS BIGINT),
                CAST(e.value->>'people' AS BIGINT), CAST(e.value->>'attempt' AS BIGINT),
                CAST($4 AS BIGINT), CAST($5 AS BIGINT), CAST(e.value->>'repeat_of' AS BIGINT),
                CAST($6 AS BIGINT)
         FROM EACH($1) AS e
         RETURNING id, call_id",
        &[
            &json(&new),
            &ask.provider.as_str(),
            &ask.worker.to_string(),
            &i64::from(probe),
            &now.0,
            &number_price.map(Credits::thousandths),
        ],
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
