//! Opens and shuts a provider's gate by hand.

use db::Conn;
use jobs::gate::Resume;
use jobs::{GateReason, GateState, OffReason, Provider, Timestamp};

use crate::audit::{Action, Entry};
use crate::error::Result;
use crate::gates::Gates;
use crate::gates::gate::Gate;
use crate::gates::state;
use crate::topic::Topic;

/// The result of resuming a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resumed {
    /// Whether it was paused.
    pub was_paused: bool,
    /// Whether few people were asked because its answers could not be read; that is over, too.
    pub was_unread: bool,
    /// What was done about its gate.
    pub done: Resume,
    /// Why its gate was shut besides the pause, if it was.
    pub was_shut_for: Option<GateReason>,
    /// Until when it stays closed, if only the pause has ended.
    pub closed_until: Option<Timestamp>,
    /// Why it is still off, which only a worker can change.
    pub still_off: Option<OffReason>,
}

impl Gates<'_> {
    /// Stops sending to `provider` until [`Gates::resume`]; returns false if it was paused already. Results that are paid
    /// for are still received.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn pause(self, provider: Provider) -> Result<bool> {
        let (actor, now) = (self.store.actor(), self.store.now());
        self.store
            .db
            .write(move |conn| {
                Box::pin(async move {
                    let gate = Gate::lock(conn, provider).await?;
                    conn.execute(
                        "UPDATE provider_gates SET paused = 1 WHERE provider = $1",
                        &[&provider.as_str()],
                    )
                    .await?;
                    if !gate.breaker.paused {
                        Entry::of(Action::Pause).provider(provider).write(conn, actor, now).await?;
                    }
                    conn.announce(Topic::Queue);
                    Ok(!gate.breaker.paused)
                })
            })
            .await
    }

    /// Ends a pause. A gate that is also closed for a time stays closed for that time. A gate that only the user opens,
    /// or that was not paused, is tried at once, with one request. The balance is read again.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn resume(self, provider: Provider) -> Result<Resumed> {
        let (actor, now) = (self.store.actor(), self.store.now());
        self.store
            .db
            .write(move |conn| {
                Box::pin(async move {
                    let resumed = resume(conn, provider, now).await?;
                    if resumed.done != Resume::Nothing || resumed.was_unread {
                        Entry::of(Action::Resume)
                            .provider(provider)
                            .write(conn, actor, now)
                            .await?;
                    }
                    Ok(resumed)
                })
            })
            .await
    }
}

async fn resume(conn: &mut Conn, provider: Provider, now: Timestamp) -> Result<Resumed> {
    let gate = Gate::lock(conn, provider).await?;
    let done = gate.breaker.resume(now);
    if done == Resume::TryNow {
        state::half_open(conn, provider, now).await?;
    }
    conn.execute(
        "UPDATE provider_gates SET paused = 0, refused_singles = CASE WHEN $3 = 1 THEN 0 ELSE refused_singles END,
            not_found_known = not_found_known + CASE WHEN $3 = 1 THEN not_found_run ELSE 0 END,
            not_found_run = CASE WHEN $3 = 1 THEN 0 ELSE not_found_run END,
            not_found_first = CASE WHEN $3 = 1 THEN NULL ELSE not_found_first END,
            doubted_to = CASE WHEN $3 = 1 THEN NULL ELSE doubted_to END,
            balance_due_at = $2, balance_step = 0, unread_since = NULL, unread_numbers = 0
         WHERE provider = $1",
        &[&provider.as_str(), &now.0, &i64::from(done == Resume::TryNow)],
    )
    .await?;
    conn.announce(Topic::Queue);
    let shut = gate.breaker.state != GateState::Open;
    Ok(Resumed {
        was_paused: gate.breaker.paused,
        was_unread: gate.unread_since.is_some(),
        done,
        was_shut_for: gate.breaker.reason.filter(|_| shut),
        closed_until: gate.breaker.until.filter(|_| shut && done == Resume::Unpause),
        still_off: gate.off_reason,
    })
}
