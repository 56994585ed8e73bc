//! Takes people from the queue into calls. One transaction decides whether and how fast to send, which people, and which
//! batch pays, and writes the call down as `sending`. A call that was committed may be sent at once. One that was not
//! committed was never claimed.

pub(crate) mod admission;
mod call_plan;
mod candidates;
mod committed;
mod isolated;
mod lookups;
mod paying;
mod send_slot;
mod write;

use db::Conn;
use jobs::gate::Admission as GateState;
use jobs::{Clock, Provider};

use crate::calls::Calls;
use crate::calls::claim::admission::{Admission, admit, earliest};
use crate::calls::claim::call_plan::{Plan, plan_calls};
use crate::calls::claim::candidates::waiting_batches;
use crate::calls::claim::committed::{Claimed, Made};
use crate::calls::claim::isolated::{OffQueue, promote_due};
use crate::calls::claim::send_slot::ClaimTime;
use crate::calls::claim::write::write_planned;
use crate::calls::claimed::{ClaimReveals, ClaimedCall, Claims};
use crate::error::Result;
use crate::gates::gate::Gate;
use crate::reveals::counters::Totals;
use crate::reveals::counters::write::from_newest;
use crate::reveals::person_price::reprice;
use crate::reveals::unclaimed_range;

impl Calls<'_> {
    /// Claims people for up to `ask.calls` calls.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn claim_reveals(self, ask: ClaimReveals) -> Result<Claims> {
        // Checked first without the gate's lock, which every sender and every answer needs.
        if !any_batch_waits(&mut self.store.db.read().await?, ask.provider).await? {
            return Ok(Claims::default());
        }
        let clock = self.store.clock();
        loop {
            let (ask, clock) = (ask.clone(), clock.clone());
            let made = Made::default();
            let noted = made.clone();
            let claimed = self
                .store
                .db
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

    /// Whether the gate still lets through a call that waited for its send slot.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn may_leave(self, call: &ClaimedCall) -> Result<bool> {
        let gate = Gate::read(&mut self.store.db.read().await?, call.provider).await?;
        let open = matches!(
            gate.breaker.admission(self.store.now()),
            GateState::Open | GateState::Careful
        );
        Ok(open || gate.probe_call == Some(call.id))
    }
}

/// Whether any batch has rows that wait to be asked.
async fn any_batch_waits(conn: &mut Conn, provider: Provider) -> Result<bool> {
    let waiting: Option<(i64,)> = conn
        .fetch_optional(
            concat!(
                "SELECT b.id FROM batches b WHERE b.finished_at IS NULL AND (SELECT t.queued + t.retrying ",
                from_newest!(),
                ") > 0 LIMIT 1",
            ),
            &[&provider.as_str()],
        )
        .await?;
    Ok(waiting.is_some())
}

async fn claim(conn: &mut Conn, ask: &ClaimReveals, clock: &Clock) -> Result<Claimed> {
    let gate = Gate::lock(conn, ask.provider).await?;
    // The time is read only now, since the lock may have been waited for.
    let time = ClaimTime::of(clock);
    let now = time.now;
    learn_plan(conn, ask, &gate).await?;
    let price = gate.price(ask.provider, ask.price).reserved;
    let waiting = waiting_batches(conn, ask.provider, price).await?;
    if waiting.has_old_price {
        reprice(conn, ask.provider, price).await?;
        return Ok(Claimed::Prepared);
    }
    let mut totals = Totals::default();
    let off_queue = OffQueue::read(conn, ask.provider).await?;
    if off_queue.next_due.is_some_and(|at| at <= now)
        && promote_due(conn, &mut totals, ask.provider, now).await?
    {
        totals.flush(conn, now).await?;
        return Ok(Claimed::Prepared);
    }
    let claims = match admit(conn, ask, &gate, &time).await? {
        Admission::Wait(again_at) => Claims { again_at, ..Claims::default() },
        Admission::Paced(again_at) => {
            Claims { again_at: Some(again_at), paced: true, ..Claims::default() }
        }
        Admission::Go(admitted) => {
            let Plan { planned, cursors } = plan_calls(
                conn,
                &mut totals,
                ask,
                &gate,
                &admitted,
                (&off_queue, &waiting.due),
                now,
            )
            .await?;
            let probe = admitted.probe;
            let claims =
                write_planned(conn, &mut totals, ask, &gate, planned, probe, &time).await?;
            for cursor in &cursors {
                unclaimed_range::advance(conn, ask.provider, cursor).await?;
            }
            claims
        }
    };
    totals.flush(conn, now).await?;
    if claims.paced {
        return Ok(Claimed::Calls(claims));
    }
    let again_at = earliest(claims.again_at, off_queue.next_due);
    Ok(Claimed::Calls(Claims { again_at, ..claims }))
}

/// Gives the gate a plan that is set by hand: when numbers arrive, their price is read from the gate.
async fn learn_plan(conn: &mut Conn, ask: &ClaimReveals, gate: &Gate) -> Result<()> {
    if let Some(plan) = ask.price.plan().filter(|plan| gate.tariff != Some(*plan)) {
        conn.execute(
            "UPDATE provider_gates SET tariff = $2 WHERE provider = $1",
            &[&ask.provider.as_str(), &plan.as_str()],
        )
        .await?;
    }
    Ok(())
}
