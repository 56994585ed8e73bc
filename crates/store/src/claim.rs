//! Taking people from the queue into calls. One transaction decides whether, how fast, who, and who
//! pays, and writes the call down as `sending`: what left this transaction may be sent at once, and
//! what didn't was never claimed.

use std::collections::{BTreeSet, HashMap};

use jobs::budget::{Candidate, Room, allocate};
use jobs::{CallId, Provider, RevealState, Timestamp, WorkerId, rate};
use serde::Serialize;

use crate::conn::{Conn, exec, row, rows, value};
use crate::gate::{self, Door, Gate, day};
use crate::lanes::find_lanes;
use crate::totals::{Totals, json};
use crate::transition::{Change, shift};
use crate::{Result, Store};

/// The most people of whom a small probe consists.
const SMALL_PROBE: usize = 1;
/// People whose time has come and who are put back into the queue by one claim.
const DUE_AT_ONCE: i64 = 2_000;
/// The part of a day's requests that the search for bad ids may use.
const ISOLATION_SHARE: i64 = 10;
/// A day's requests where the provider doesn't say (Ocean's standard plans).
const DAILY_REQUESTS: i64 = 1_000;

/// Less than this part of a day's requests left: the day is short.
const SHORT_SHARE: i64 = 5;

/// What a person costs at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Price {
    /// So many credits.
    Fixed(i64),
    /// One where the account counts direct dials, else twenty (Clodura's plans).
    Auto,
}

/// What a worker asks the ledger for.
#[derive(Debug, Clone)]
pub struct ClaimReveals {
    /// At which provider.
    pub provider: Provider,
    /// Who asks.
    pub worker: WorkerId,
    /// How many calls it could send now.
    pub calls: usize,
    /// How many people go into one call.
    pub people: usize,
    /// What is reserved for each.
    pub price: Price,
    /// The user's limit, requests a second.
    pub rate: f64,
    /// While no webhook has proved the webhook URL: the most people out, in one call. 0: no such limit.
    pub canary: usize,
    /// How soon a balance that was found too low is asked again.
    pub credits_check_interval: std::time::Duration,
}

/// A call that is written down and must be sent now, or given back.
#[derive(Debug, Clone)]
pub struct ClaimedCall {
    /// Its public id.
    pub call_id: CallId,
    /// Who is asked.
    pub provider: Provider,
    /// When it was written down.
    pub sent_at: Timestamp,
    /// Encoded identifiers, in the order in which they are sent.
    pub people: Vec<String>,
    pub(crate) id: i64,
    pub(crate) worker: WorkerId,
}

/// What a claim came to.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    /// Calls to send.
    pub calls: Vec<ClaimedCall>,
    /// When another claim may bring more, if nothing happens before.
    pub again_at: Option<Timestamp>,
    /// That time is a matter of the rate: nothing that happens brings it nearer.
    pub paced: bool,
}

/// A person taken from the queue.
struct Picked {
    id: i64,
    subject: String,
    attempts: i64,
    repeat_of: Option<i64>,
}

type PickedRow = (i64, String, i64, Option<i64>);

/// A call about to be written.
struct Draft {
    people: Vec<Picked>,
    payers: Vec<i64>,
    price: i64,
    isolating: bool,
}

/// What was drafted, and the batches that have no room for one more person.
struct Drafts {
    drafts: Vec<Draft>,
    full: Vec<i64>,
}

/// What may still be reserved, and whether somebody found no batch with room.
struct Wallet {
    room: Room,
    full: bool,
    /// The account ran out.
    short: bool,
}

impl Wallet {
    fn full_batches(&self, price: i64) -> Vec<i64> {
        let full = self.room.batches.iter().filter(|(_, left)| **left < price);
        let full: BTreeSet<i64> = full.map(|(batch, _)| *batch).collect();
        full.into_iter().collect()
    }
}

impl Store {
    /// Claims people for up to `ask.calls` calls.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn claim_reveals(&self, ask: ClaimReveals) -> Result<Claims> {
        let now = self.now();
        self.write(move |conn| Box::pin(async move { claim(conn, &ask, now).await })).await
    }
}

async fn claim(conn: &mut Conn, ask: &ClaimReveals, now: Timestamp) -> Result<Claims> {
    let gate = Gate::lock(conn, ask.provider).await?;
    let mut totals = Totals::default();
    promote_due(conn, &mut totals, ask.provider, now).await?;
    // Batches are looked up by their counts: those whose people just came back have to be seen.
    std::mem::take(&mut totals).flush(conn, now).await?;
    let claims = match admit(conn, ask, &gate, now).await? {
        Admission::Wait(again_at) => Claims { again_at, ..Claims::default() },
        Admission::Paced(again_at) => {
            Claims { again_at: Some(again_at), paced: true, ..Claims::default() }
        }
        Admission::Go { calls, people, probe } => {
            let Drafts { drafts, full } =
                draft_calls(conn, &mut totals, ask, &gate, calls, people, now).await?;
            let claims = send_drafts(conn, &mut totals, ask, &gate, drafts, probe, now).await?;
            // Only now: whoever was drafted is in the queue no more, and can't be drafted twice.
            mark_ceilings(conn, ask.provider, &full).await?;
            claims
        }
    };
    totals.flush(conn, now).await?;
    if claims.paced {
        return Ok(claims);
    }
    let again_at = earliest(claims.again_at, next_due(conn, ask.provider).await?);
    Ok(Claims { again_at, ..claims })
}

fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

enum Admission {
    Wait(Option<Timestamp>),
    Paced(Timestamp),
    Go { calls: usize, people: usize, probe: bool },
}

/// Gate, canary and rate: how many calls may go at most, and how large.
async fn admit(
    conn: &mut Conn,
    ask: &ClaimReveals,
    gate: &Gate,
    now: Timestamp,
) -> Result<Admission> {
    let (mut calls, mut people, probe) = match gate.door(now) {
        Door::Shut(until) => return Ok(Admission::Wait(until)),
        Door::Open => (ask.calls, ask.people, false),
        Door::Probe { small } => (1, if small { SMALL_PROBE } else { ask.people }, true),
    };
    if ask.canary > 0 && gate.canary_url.is_some() && gate.canary_proved_at.is_none() {
        if out_of(conn, ask.provider).await? > 0 {
            return Ok(Admission::Wait(None));
        }
        (calls, people) = (1, people.min(ask.canary));
    }
    if let Some(at) = spare_the_day(conn, ask, gate, now).await? {
        return Ok(Admission::Wait(Some(at)));
    }
    let grant = rate::take(gate.tat_us, now.0, gate.rate(ask.rate, now), calls);
    if grant.requests == 0 {
        return Ok(Admission::Paced(Timestamp(grant.next_at_ms)));
    }
    calls = grant.requests;
    Ok(Admission::Go { calls, people, probe })
}

/// When the day's requests run short, a call that would not be full waits so that they last until the
/// count starts again; a full one goes at once.
async fn spare_the_day(
    conn: &mut Conn,
    ask: &ClaimReveals,
    gate: &Gate,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let (Some(left), Some(resets_at)) = (gate.daily_left, gate.daily_resets_at) else {
        return Ok(None);
    };
    if ask.people == 1 || left >= DAILY_REQUESTS / SHORT_SHARE || resets_at <= now.0 {
        return Ok(None);
    }
    // The rate's cell stands one interval after the last request.
    let last = gate.tat_us / 1000 - (1000.0 / gate.rate(ask.rate, now)) as i64;
    let next = last + (resets_at - now.0) / left.max(1);
    if next <= now.0 {
        return Ok(None);
    }
    let waiting: i64 = value!(
        conn,
        "SELECT CAST(COALESCE(SUM(t.queued), 0) AS BIGINT) FROM batch_totals t JOIN batches b ON b.id = t.batch_id
         WHERE t.provider = $1 AND b.published_at IS NOT NULL AND b.cancelled_at IS NULL",
        ask.provider.as_str(),
    )?;
    Ok((waiting < ask.people as i64).then_some(Timestamp(next)))
}

/// Calls whose results are out or may be.
async fn out_of(conn: &mut Conn, provider: Provider) -> Result<i64> {
    Ok(value!(
        conn,
        "SELECT COUNT(*) FROM calls
         WHERE provider = $1 AND (state = 'sending' OR deadline_at IS NOT NULL)",
        provider.as_str(),
    )?)
}

/// Puts people whose backoff is over back into the queue.
async fn promote_due(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    now: Timestamp,
) -> Result<()> {
    let due: Vec<(i64,)> = rows!(
        conn,
        "SELECT id FROM reveals WHERE provider = $1 AND state = 'retrying' AND due_at <= $2
         ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED",
        provider.as_str(),
        now.0,
        DUE_AT_ONCE,
    )?;
    let ids: Vec<i64> = due.into_iter().map(|(id,)| id).collect();
    shift(conn, totals, provider, &ids, Change::to(RevealState::Queued), now).await
}

async fn next_due(conn: &mut Conn, provider: Provider) -> Result<Option<Timestamp>> {
    let due: Option<(Option<i64>,)> = row!(
        conn,
        "SELECT MIN(due_at) FROM reveals WHERE provider = $1 AND state = 'retrying'",
        provider.as_str(),
    )?;
    Ok(due.and_then(|(at,)| at).map(Timestamp))
}

/// Fills up to `calls` calls: first groups that must be asked apart, then people batch by batch.
async fn draft_calls(
    conn: &mut Conn,
    totals: &mut Totals,
    ask: &ClaimReveals,
    gate: &Gate,
    calls: usize,
    people: usize,
    now: Timestamp,
) -> Result<Drafts> {
    let price = match ask.price {
        Price::Fixed(price) => price,
        Price::Auto if gate.balance_direct == 1 => 1,
        Price::Auto => 20,
    };
    let account = account_room(conn, ask.provider, gate).await?;
    let mut wallet =
        Wallet { room: Room { account, batches: HashMap::new() }, full: false, short: false };
    let mut drafts = Vec::new();
    for cohort in due_cohorts(conn, ask.provider, gate, calls, now).await? {
        let picked = pick_cohort(conn, ask.provider, cohort, people).await?;
        let drafted = pay(conn, totals, ask, picked, price, &mut wallet, now).await?;
        drafts.extend(into_drafts(drafted, people, price, true));
    }
    for lane in due_lanes(conn, ask.provider).await? {
        let wanted = calls.saturating_sub(drafts.len()) * people + room_in_last(&drafts, people);
        if wanted == 0 {
            break;
        }
        let mut picked = pick_lane(conn, ask.provider, lane, wanted).await?;
        if picked.is_empty() && !wallet.short {
            take_from_full(conn, totals, ask.provider, lane, wanted, now).await?;
            picked = pick_lane(conn, ask.provider, lane, wanted).await?;
        }
        let drafted = pay(conn, totals, ask, picked, price, &mut wallet, now).await?;
        merge_drafts(&mut drafts, drafted, people, price);
    }
    for draft in &drafts {
        for payer in &draft.payers {
            totals.reserve(*payer, ask.provider, 1, price);
        }
    }
    let full = if wallet.full { wallet.full_batches(price) } else { Vec::new() };
    Ok(Drafts { drafts, full })
}

fn into_drafts(paid: Vec<(Picked, i64)>, people: usize, price: i64, isolating: bool) -> Vec<Draft> {
    let mut drafts: Vec<Draft> = Vec::new();
    for (person, payer) in paid {
        match drafts.last_mut() {
            Some(last) if last.people.len() < people => {
                last.people.push(person);
                last.payers.push(payer);
            }
            _ => drafts.push(Draft { people: vec![person], payers: vec![payer], price, isolating }),
        }
    }
    drafts
}

/// How many people the last call still takes.
fn room_in_last(drafts: &[Draft], people: usize) -> usize {
    let last = drafts.last().filter(|last| !last.isolating);
    last.map_or(0, |last| people.saturating_sub(last.people.len()))
}

/// People of a later batch fill up the last call of an earlier one.
fn merge_drafts(drafts: &mut Vec<Draft>, paid: Vec<(Picked, i64)>, people: usize, price: i64) {
    let mut paid = paid.into_iter();
    if let Some(last) = drafts.last_mut().filter(|last| !last.isolating) {
        while last.people.len() < people
            && let Some((person, payer)) = paid.next()
        {
            last.people.push(person);
            last.payers.push(payer);
        }
    }
    drafts.extend(into_drafts(paid.collect(), people, price, false));
}

/// What the account has left, minus what calls in flight may still use.
async fn account_room(conn: &mut Conn, provider: Provider, gate: &Gate) -> Result<Option<i64>> {
    let Some(credits) = gate.balance_credits else { return Ok(None) };
    let sums: Option<(i64, i64)> = row!(
        conn,
        "SELECT CAST(COALESCE(SUM(credits_spent), 0) AS BIGINT),
                CAST(COALESCE(SUM(credits_reserved), 0) AS BIGINT)
         FROM batch_totals WHERE provider = $1",
        provider.as_str(),
    )?;
    let (spent, reserved) = sums.unwrap_or_default();
    Ok(Some(credits - (spent - gate.balance_spent) - reserved))
}

/// Batches with people in the queue, in the order of their turn.
async fn due_lanes(conn: &mut Conn, provider: Provider) -> Result<Vec<i64>> {
    let lanes: Vec<(i64,)> = rows!(
        conn,
        "SELECT b.id FROM batches b JOIN batch_totals t ON t.batch_id = b.id
         WHERE t.provider = $1 AND t.queued > 0 AND t.at_ceiling = 0
           AND b.published_at IS NOT NULL AND b.cancelled_at IS NULL
         ORDER BY b.priority DESC, b.id",
        provider.as_str(),
    )?;
    Ok(lanes.into_iter().map(|(id,)| id).collect())
}

async fn due_cohorts(
    conn: &mut Conn,
    provider: Provider,
    gate: &Gate,
    calls: usize,
    now: Timestamp,
) -> Result<Vec<i64>> {
    let isolated = if gate.requests_day == day(now) { gate.isolation_today } else { 0 };
    if isolated >= DAILY_REQUESTS / ISOLATION_SHARE && provider == Provider::Ocean {
        return Ok(Vec::new());
    }
    let cohorts: Vec<(i64,)> = rows!(
        conn,
        "SELECT DISTINCT cohort FROM reveals
         WHERE provider = $1 AND state = 'queued' AND cohort IS NOT NULL ORDER BY cohort LIMIT $2",
        provider.as_str(),
        calls as i64,
    )?;
    Ok(cohorts.into_iter().map(|(id,)| id).collect())
}

async fn pick_lane(
    conn: &mut Conn,
    provider: Provider,
    lane: i64,
    most: usize,
) -> Result<Vec<Picked>> {
    let picked: Vec<PickedRow> = rows!(
        conn,
        "SELECT id, subject, attempts, repeat_of FROM reveals
         WHERE lane = $1 AND provider = $2 AND state = 'queued' AND cohort IS NULL
         ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED",
        lane,
        provider.as_str(),
        most as i64,
    )?;
    Ok(picked.into_iter().map(Picked::from).collect())
}

/// A batch whose lane is empty although its rows wait shares their people with others; those that
/// stand in the lane of a batch at its ceiling come over.
async fn take_from_full(
    conn: &mut Conn,
    totals: &mut Totals,
    provider: Provider,
    batch: i64,
    most: usize,
    now: Timestamp,
) -> Result<()> {
    let full: i64 = value!(
        conn,
        "SELECT COUNT(*) FROM batch_totals WHERE provider = $1 AND at_ceiling = 1 AND queued > 0",
        provider.as_str(),
    )?;
    if full == 0 {
        return Ok(());
    }
    let shared: Vec<(i64,)> = rows!(
        conn,
        "SELECT DISTINCT r.id FROM batch_rows w
         JOIN reveals r ON r.id = w.reveal_id AND r.provider = $2 AND r.state = 'queued' AND r.cohort IS NULL
         JOIN batch_totals t ON t.batch_id = r.lane AND t.provider = $2 AND t.at_ceiling = 1
         WHERE w.batch_id = $1 AND w.ended IS NULL LIMIT $3",
        batch,
        provider.as_str(),
        most as i64,
    )?;
    let shared: Vec<i64> = shared.into_iter().map(|(id,)| id).collect();
    find_lanes(conn, totals, &shared, now).await
}

async fn pick_cohort(
    conn: &mut Conn,
    provider: Provider,
    cohort: i64,
    most: usize,
) -> Result<Vec<Picked>> {
    let picked: Vec<PickedRow> = rows!(
        conn,
        "SELECT id, subject, attempts, repeat_of FROM reveals
         WHERE provider = $1 AND cohort = $2 AND state = 'queued' AND cohort IS NOT NULL
         ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED",
        provider.as_str(),
        cohort,
        most as i64,
    )?;
    Ok(picked.into_iter().map(Picked::from).collect())
}

impl From<PickedRow> for Picked {
    fn from((id, subject, attempts, repeat_of): PickedRow) -> Self {
        Picked { id, subject, attempts, repeat_of }
    }
}

/// Finds a payer for each; those without one leave the queue or wait at the ceiling.
async fn pay(
    conn: &mut Conn,
    totals: &mut Totals,
    ask: &ClaimReveals,
    picked: Vec<Picked>,
    price: i64,
    room: &mut Wallet,
    now: Timestamp,
) -> Result<Vec<(Picked, i64)>> {
    if picked.is_empty() {
        return Ok(Vec::new());
    }
    let candidates = wanting_batches(conn, &picked).await?;
    load_ceilings(conn, ask.provider, &candidates, &mut room.room).await?;
    let allocation = allocate(&candidates, price, &mut room.room);
    // Those whom only a batch wants that is still loading wait for it.
    find_lanes(conn, totals, &allocation.unwanted, now).await?;
    room.full |= !allocation.at_ceiling.is_empty();
    if allocation.account_short {
        room.short = true;
        ask_balance_soon(conn, ask, now).await?;
    }
    let mut by_id: HashMap<i64, Picked> = picked.into_iter().map(|p| (p.id, p)).collect();
    Ok(allocation
        .paid
        .into_iter()
        .filter_map(|(reveal, payer)| Some((by_id.remove(&reveal)?, payer)))
        .collect())
}

/// For each person the batches that want it, in the order in which they pay.
async fn wanting_batches(conn: &mut Conn, picked: &[Picked]) -> Result<Vec<Candidate>> {
    let ids: Vec<i64> = picked.iter().map(|p| p.id).collect();
    let wanting: Vec<(i64, i64)> = rows!(
        conn,
        "SELECT DISTINCT w.reveal_id, b.id FROM IDS($1) AS e
         JOIN batch_rows w ON w.reveal_id = CAST(e.value AS BIGINT) AND w.ended IS NULL
         JOIN batches b ON b.id = w.batch_id AND b.published_at IS NOT NULL AND b.cancelled_at IS NULL
         ORDER BY w.reveal_id, b.id",
        json(&ids),
    )?;
    let mut wanted_by: HashMap<i64, Vec<i64>> = HashMap::new();
    for (reveal, batch) in wanting {
        wanted_by.entry(reveal).or_default().push(batch);
    }
    Ok(ids
        .into_iter()
        .map(|reveal| Candidate {
            reveal,
            wanted_by: wanted_by.remove(&reveal).unwrap_or_default(),
        })
        .collect())
}

async fn load_ceilings(
    conn: &mut Conn,
    provider: Provider,
    candidates: &[Candidate],
    room: &mut Room,
) -> Result<()> {
    let batches: BTreeSet<i64> =
        candidates.iter().flat_map(|c| c.wanted_by.iter().copied()).collect();
    let unknown: Vec<i64> = batches.into_iter().filter(|b| !room.batches.contains_key(b)).collect();
    let ceilings: Vec<(i64, i64)> = rows!(
        conn,
        "SELECT t.batch_id, t.max_credits - t.credits_reserved - t.credits_spent - t.written_off
         FROM IDS($1) AS e JOIN batch_totals t ON t.batch_id = CAST(e.value AS BIGINT)
         WHERE t.provider = $2 AND t.max_credits IS NOT NULL",
        json(&unknown),
        provider.as_str(),
    )?;
    room.batches.extend(ceilings);
    Ok(())
}

/// Batches without room for one more person step out of the queue until credits are freed or their
/// ceiling is raised. What other batches want of theirs is taken over when their own lanes are empty.
async fn mark_ceilings(conn: &mut Conn, provider: Provider, full: &[i64]) -> Result<()> {
    for batch in full {
        exec!(
            conn,
            "UPDATE batch_totals SET at_ceiling = 1 WHERE batch_id = $1 AND provider = $2",
            *batch,
            provider.as_str(),
        )?;
    }
    Ok(())
}

/// What we believe is too little for the next person: the account is asked, unless it is to be anyway.
async fn ask_balance_soon(conn: &mut Conn, ask: &ClaimReveals, now: Timestamp) -> Result<()> {
    let interval = i64::try_from(ask.credits_check_interval.as_millis()).unwrap_or(i64::MAX / 4);
    exec!(
        conn,
        "UPDATE provider_gates SET balance_due_at =
            CASE WHEN balance_at IS NULL OR balance_at + $3 < $2 THEN $2 ELSE balance_at + $3 END
         WHERE provider = $1 AND balance_due_at IS NULL",
        ask.provider.as_str(),
        now.0,
        interval,
    )?;
    conn.announce(crate::Topic::Queue);
    Ok(())
}

/// Writes the calls down and takes their cost off rate and quota.
async fn send_drafts(
    conn: &mut Conn,
    totals: &mut Totals,
    ask: &ClaimReveals,
    gate: &Gate,
    drafts: Vec<Draft>,
    probe: bool,
    now: Timestamp,
) -> Result<Claims> {
    if drafts.is_empty() {
        return Ok(Claims::default());
    }
    let isolating = drafts.iter().filter(|draft| draft.isolating).count();
    gate::count_requests(conn, ask.provider, gate, drafts.len(), isolating, now).await?;
    let grant = rate::take(gate.tat_us, now.0, gate.rate(ask.rate, now), drafts.len());
    let calls = write_calls(conn, totals, ask, drafts, probe, now).await?;
    let probe_call = calls.first().filter(|_| probe).map(|call| call.id);
    exec!(
        conn,
        "UPDATE provider_gates SET tat_us = $2, rate_limit = $3,
            state = CASE WHEN $4 = 1 THEN 'probing' ELSE state END,
            probe_call = CASE WHEN $4 = 1 THEN CAST($5 AS BIGINT) ELSE probe_call END
         WHERE provider = $1",
        ask.provider.as_str(),
        grant.tat_us,
        ask.rate,
        i64::from(probe),
        probe_call,
    )?;
    Ok(Claims { calls, again_at: Some(Timestamp(grant.next_at_ms)), paced: true })
}

#[derive(Serialize)]
struct CallJson {
    call_id: CallId,
    people: usize,
    attempt: i64,
    repeat_of: Option<i64>,
}

#[derive(Serialize)]
struct MemberJson {
    call: i64,
    position: usize,
    reveal: i64,
    payer: i64,
    reserved: i64,
}

async fn write_calls(
    conn: &mut Conn,
    totals: &mut Totals,
    ask: &ClaimReveals,
    drafts: Vec<Draft>,
    probe: bool,
    now: Timestamp,
) -> Result<Vec<ClaimedCall>> {
    let new: Vec<CallJson> = drafts
        .iter()
        .map(|draft| CallJson {
            call_id: CallId::generate(),
            people: draft.people.len(),
            attempt: draft.people.iter().map(|p| p.attempts).max().unwrap_or(0) + 1,
            repeat_of: draft.people.iter().find_map(|p| p.repeat_of),
        })
        .collect();
    let numbers: Vec<(i64, String)> = rows!(
        conn,
        "INSERT INTO calls (call_id, provider, state, worker_id, people, open_people, attempt, probe, sent_at, repeat_of)
         SELECT e.value->>'call_id', $2, 'sending', $3, CAST(e.value->>'people' AS BIGINT),
                CAST(e.value->>'people' AS BIGINT), CAST(e.value->>'attempt' AS BIGINT),
                CAST($4 AS BIGINT), CAST($5 AS BIGINT), CAST(e.value->>'repeat_of' AS BIGINT)
         FROM EACH($1) AS e
         RETURNING id, call_id",
        json(&new),
        ask.provider.as_str(),
        ask.worker.to_string(),
        i64::from(probe),
        now.0,
    )?;
    let numbers: HashMap<String, i64> =
        numbers.into_iter().map(|(id, call_id)| (call_id, id)).collect();
    let mut calls = Vec::with_capacity(new.len());
    let mut members = Vec::new();
    for (call, draft) in new.into_iter().zip(drafts) {
        let Some(&id) = numbers.get(&call.call_id.to_string()) else { continue };
        for (position, (person, payer)) in draft.people.iter().zip(&draft.payers).enumerate() {
            members.push(MemberJson {
                call: id,
                position,
                reveal: person.id,
                payer: *payer,
                reserved: draft.price,
            });
        }
        calls.push(ClaimedCall {
            call_id: call.call_id,
            provider: ask.provider,
            sent_at: now,
            people: draft.people.into_iter().map(|p| p.subject).collect(),
            id,
            worker: ask.worker,
        });
    }
    write_members(conn, totals, ask, &members, now).await?;
    Ok(calls)
}

async fn write_members(
    conn: &mut Conn,
    totals: &mut Totals,
    ask: &ClaimReveals,
    members: &[MemberJson],
    now: Timestamp,
) -> Result<()> {
    let ids: Vec<i64> = members.iter().map(|m| m.reveal).collect();
    crate::transition::count_rows(conn, totals, ask.provider, &ids, RevealState::Sending).await?;
    exec!(
        conn,
        "INSERT INTO call_reveals (call_id, position, reveal_id, payer, reserved)
         SELECT CAST(e.value->>'call' AS BIGINT), CAST(e.value->>'position' AS BIGINT),
                CAST(e.value->>'reveal' AS BIGINT), CAST(e.value->>'payer' AS BIGINT),
                CAST(e.value->>'reserved' AS BIGINT)
         FROM EACH($1) AS e",
        json(&members),
    )?;
    exec!(
        conn,
        "UPDATE reveals SET state = 'sending', reason = NULL, due_at = NULL, updated_at = $2,
            asked_at = COALESCE(asked_at, $2), call_id = CAST(e.value->>'call' AS BIGINT)
         FROM EACH($1) AS e WHERE reveals.id = CAST(e.value->>'reveal' AS BIGINT)",
        json(&members),
        now.0,
    )?;
    Ok(())
}
