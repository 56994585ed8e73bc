//! An answer that is a result already: Clodura's 404. Taken down in one step, since a worker that
//! died between two would leave the person waiting for a webhook that never comes.

use jobs::outcome::{Finding, PersonResult};
use jobs::{Policy, Timestamp};

use crate::conn::{Conn, exec};
use crate::gate::{self, Gate};
use crate::settle::{Delivery, settle};
use crate::{Answer, Result, Store};

impl Store {
    /// The provider looked at once, and has no number.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn answer_not_found(&self, answer: Answer, policy: &Policy) -> Result<()> {
        let (now, policy) = (self.now(), policy.clone());
        self.write(move |conn| {
            Box::pin(async move { not_found(conn, &answer, &policy, now).await })
        })
        .await
    }
}

async fn not_found(
    conn: &mut Conn,
    answer: &Answer,
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    let call = &answer.call;
    let gate = Gate::lock(conn, call.provider).await?;
    gate::accepted(conn, call.provider, &gate, &[call.id], now).await?;
    let results = vec![PersonResult { person_id: None, finding: Finding::NotFound }];
    let delivery = Delivery { inbox: None, call_id: call.call_id.to_string(), results };
    settle(conn, vec![delivery], policy, now).await?;
    exec!(
        conn,
        "UPDATE calls SET outcome = COALESCE(outcome, 'not found'), http_status = $2 WHERE id = $1",
        call.id,
        answer.http_status.map(i64::from),
    )?;
    Ok(())
}
