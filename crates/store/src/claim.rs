//! Taking people from the queue into calls. One transaction decides whether, how fast, who, and who
//! pays, and writes the call down as `sending`: what left this transaction may be sent at once, and
//! what didn't was never claimed.

mod aside;
mod committed;
mod draft;
mod moment;
mod pick;
mod write;

use std::time::Instant;

use jobs::gate::Admission as Door;
use jobs::{CallId, Clock, PerPerson, Provider, Timestamp, WorkerId};

use crate::ceilings::reprice;
use crate::conn::{Conn, exec, row, value};
use crate::gate::Gate;
use crate::newcomers;
use crate::totals::Totals;
use crate::{Result, Store};

use self::aside::{Aside, promote_due};
use self::committed::Made;
use self::draft::{Drafts, draft_calls};
use self::moment::Moment;
use self::write::send_drafts;

/// The most people of whom a small probe consists.
const SMALL_PROBE: usize = 1;
/// A day's requests where the provider doesn't say (Ocean's standard plans).
const DAILY_REQUESTS: i64 = 1_000;

/// Less than this part of a day's requests left: the day is short.
const SHORT_SHARE: i64 = 5;

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
    pub price: PerPerson,
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
    /// When it is its turn to leave, by the rate: now, or in a few milliseconds.
    pub leaves_at: Instant,
    /// Encoded identifiers, in the order in which they are sent.
    pub people: Vec<String>,
    pub(crate) id: i64,
    pub(crate) worker: WorkerId,
    /// It tries whether a closed gate may open.
    pub(crate) probe: bool,
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

impl Store {
    /// Claims people for up to `ask.calls` calls.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn claim_reveals(&self, ask: ClaimReveals) -> Result<Claims> {
        // Looked at first without the gate's lock, which all who send and answer need.
        if !anybody_waits(&mut self.read().await?, ask.provider).await? {
            return Ok(Claims::default());
        }
        let clock = self.clock();
        loop {
            let (ask, clock) = (ask.clone(), clock.clone());
            let made = Made::default();
            let noted = made.clone();
            let claimed = self
                .write(move |conn| {
                    Box::pin(async move {
                        let claimed = claim(conn, &ask, &clock).await?;
                        noted.note(&claimed);
                        Ok(claimed)
                    })
                })
                .await;
            match claimed {
                Ok(Claimed::Calls(claims)) => return Ok(claims),
                Ok(Claimed::Prepared) => {}
                Err(error) => return self.committed(made.take(), error).await,
            }
        }
    }

    /// Whether the gate still lets a call through that waited for its moment.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn may_leave(&self, call: &ClaimedCall) -> Result<bool> {
        let gate = Gate::read(&mut self.read().await?, call.provider).await?;
        let open = matches!(gate.breaker.admission(self.now()), Door::Open | Door::Careful);
        Ok(open || gate.probe_call == Some(call.id))
    }
}

/// Whether any batch has rows that show somebody who waits to be asked.
async fn anybody_waits(conn: &mut Conn, provider: Provider) -> Result<bool> {
    let waiting: Option<(i64,)> = row!(
        conn,
        "SELECT batch_id FROM batch_totals WHERE provider = $1 AND queued + retrying > 0 LIMIT 1",
        provider.as_str(),
    )?;
    Ok(waiting.is_some())
}

/// What a transaction that claims did.
enum Claimed {
    /// Put people whose time has come back into the queue, or judged ceilings by a new price. Whom that concerns is
    /// claimed by the next transaction: batches are looked up by their counts, and counts are written last.
    Prepared,
    Calls(Claims),
}

async fn claim(conn: &mut Conn, ask: &ClaimReveals, clock: &Clock) -> Result<Claimed> {
    let gate = Gate::lock(conn, ask.provider).await?;
    // Only now: whoever has the lock may be slow.
    let moment = Moment::of(clock);
    let now = moment.now;
    learn_plan(conn, ask, &gate).await?;
    let price = gate.price(ask.provider, ask.price).reserved;
    if reprice(conn, ask.provider, price).await? {
        return Ok(Claimed::Prepared);
    }
    let mut totals = Totals::default();
    let aside = Aside::read(conn, ask.provider).await?;
    if aside.next_due.is_some_and(|at| at <= now)
        && promote_due(conn, &mut totals, ask.provider, now).await?
    {
        totals.flush(conn, now).await?;
        return Ok(Claimed::Prepared);
    }
    let claims = match admit(conn, ask, &gate, &moment).await? {
        Admission::Wait(again_at) => Claims { again_at, ..Claims::default() },
        Admission::Paced(again_at) => {
            Claims { again_at: Some(again_at), paced: true, ..Claims::default() }
        }
        Admission::Go(admitted) => {
            let Drafts { drafts, walked } =
                draft_calls(conn, &mut totals, ask, &gate, &admitted, aside.apart, now).await?;
            let probe = admitted.probe;
            let claims = send_drafts(conn, &mut totals, ask, &gate, drafts, probe, &moment).await?;
            for way in &walked {
                newcomers::pass(conn, ask.provider, way).await?;
            }
            claims
        }
    };
    totals.flush(conn, now).await?;
    if claims.paced {
        return Ok(Claimed::Calls(claims));
    }
    let again_at = earliest(claims.again_at, aside.next_due);
    Ok(Claimed::Calls(Claims { again_at, ..claims }))
}

/// What numbers cost is asked of the gate when they come: a plan that is set by hand is told it.
async fn learn_plan(conn: &mut Conn, ask: &ClaimReveals, gate: &Gate) -> Result<()> {
    if let Some(plan) = ask.price.plan().filter(|plan| gate.tariff != Some(*plan)) {
        exec!(
            conn,
            "UPDATE provider_gates SET tariff = $2 WHERE provider = $1",
            ask.provider.as_str(),
            plan.as_str(),
        )?;
    }
    Ok(())
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
    Go(Admitted),
}

/// How many calls may go at most, and how large.
struct Admitted {
    calls: usize,
    people: usize,
    probe: bool,
}

/// What gate, canary and rate let through.
async fn admit(
    conn: &mut Conn,
    ask: &ClaimReveals,
    gate: &Gate,
    moment: &Moment,
) -> Result<Admission> {
    let now = moment.now;
    let (mut calls, mut people, probe) = match gate.breaker.admission(now) {
        Door::Shut(until) => return Ok(Admission::Wait(until)),
        Door::Open => (ask.calls, ask.people, false),
        Door::Careful => (1, SMALL_PROBE, false),
        Door::Probe { small } => (1, if small { SMALL_PROBE } else { ask.people }, true),
    };
    if ask.canary > 0 && gate.canary_url.is_some() && gate.canary_proved_at.is_none() {
        if anything_out(conn, ask.provider, gate.canary_since).await? {
            return Ok(Admission::Wait(None));
        }
        (calls, people) = (1, people.min(ask.canary));
    }
    if gate.unread_since.is_some() {
        if gate.unread_call_is_out(conn, ask.provider).await? {
            return Ok(Admission::Wait(None));
        }
        (calls, people) = (calls.min(1), people.min(ask.canary.max(SMALL_PROBE)));
    }
    if let Some(at) = spare_the_day(conn, ask, gate, now).await? {
        return Ok(Admission::Wait(Some(at)));
    }
    let grant = moment.grant(ask, gate, calls);
    if grant.requests == 0 {
        return Ok(Admission::Paced(Timestamp(grant.next_at_ms)));
    }
    calls = grant.requests;
    Ok(Admission::Go(Admitted { calls, people, probe }))
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

/// Whether the results of any call that was sent since then are out or may be. Two questions, since each has an index of its own.
pub(crate) async fn anything_out(conn: &mut Conn, provider: Provider, since: i64) -> Result<bool> {
    let out: i64 = value!(
        conn,
        "SELECT CAST(CASE WHEN EXISTS (SELECT 1 FROM calls WHERE provider = $1 AND deadline_at >= $2 AND sent_at >= $2)
                            OR EXISTS (SELECT 1 FROM calls WHERE provider = $1 AND state = 'sending' AND sent_at >= $2)
                          THEN 1 ELSE 0 END AS BIGINT)",
        provider.as_str(),
        since,
    )?;
    Ok(out == 1)
}
