//! A claim whose commit was not answered: the connection was lost when the server may already have received the commit. The
//! calls may be stored as `sending`, and only this process knows that none of them was sent.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use db::{Conn, Texts};
use jobs::backoff::exponential;

use crate::calls::Calls;
use crate::calls::claimed::{ClaimedCall, Claims};
use crate::error::{Result, StoreError};
use crate::gates::gate::Gate;

/// The shortest and the longest wait between two checks while the database is away.
const WAITS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// The calls that a claim's transaction made, whether or not it was committed.
#[derive(Clone, Default)]
pub(super) struct Made(Arc<Mutex<Vec<ClaimedCall>>>);

impl Made {
    pub(super) fn note(&self, claimed: &Claimed) {
        if let Claimed::Calls(claims) = claimed {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = claims.calls.clone();
        }
    }

    pub(super) fn take(&self) -> Vec<ClaimedCall> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Calls<'_> {
    /// Finds out which of `calls` were committed although `error` came in place of an answer. This worker then sends those
    /// calls, or gives them back if too much time has passed.
    pub(super) async fn committed(
        self,
        calls: Vec<ClaimedCall>,
        error: StoreError,
    ) -> Result<Claims> {
        if calls.is_empty() || !error.is_temporary() {
            return Err(error);
        }
        let mut step = 0;
        loop {
            let asked = calls.clone();
            let found =
                self.store.db.write(move |conn| Box::pin(async move { find(conn, &asked).await }));
            match found.await {
                Ok(there) if there.is_empty() => return Err(error),
                Ok(there) => {
                    tracing::warn!(calls = there.len(), %error, "a claim was committed although its commit was not answered");
                    return Ok(Claims { calls: there, ..Claims::default() });
                }
                Err(again) if again.is_temporary() => {
                    tokio::time::sleep(exponential(WAITS.0, WAITS.1, step)).await;
                    step += 1;
                }
                Err(other) => return Err(other),
            }
        }
    }
}

/// Returns the calls that are stored. Waits for the gate's lock first: a claim holds it until its commit is done or given
/// up, so no call can still appear afterwards.
async fn find(conn: &mut Conn, calls: &[ClaimedCall]) -> Result<Vec<ClaimedCall>> {
    let Some(first) = calls.first() else { return Ok(Vec::new()) };
    Gate::lock(conn, first.provider).await?;
    let ids: Vec<String> = calls.iter().map(|call| call.call_id.to_string()).collect();
    let found: Vec<(String,)> = conn
        .fetch_all(
            "SELECT c.call_id FROM TEXTS($1) AS e JOIN calls c ON c.call_id = e.value
             WHERE c.state = 'sending' AND c.worker_id = $2",
            &[&Texts::of(&ids), &first.worker.to_string()],
        )
        .await?;
    let there = |call: &&ClaimedCall| {
        let id = call.call_id.to_string();
        found.iter().any(|(found,)| *found == id)
    };
    Ok(calls.iter().filter(there).cloned().collect())
}

/// The outcome of a transaction that claims.
pub(super) enum Claimed {
    /// Queued people whose retry is due, or checked ceilings with a new price. The next transaction claims: it finds
    /// batches by their counts, and this transaction writes the counts last.
    Prepared,
    Calls(Claims),
}
