//! An answer that is a result already: Clodura's 404. Taken down in one step, since a worker that
//! died between two would leave the person waiting for a webhook that never comes.

use jobs::outcome::{Finding, PersonResult};
use jobs::{Policy, Timestamp};
use serde::Serialize;

use crate::conn::{Conn, exec};
use crate::gate;
use crate::settle::{Delivery, settle};
use crate::totals::json;
use crate::writer::BoxFuture;
use crate::{Answer, Result, Store};

impl Store {
    /// The provider looked at once, and has no number.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn answer_not_found(&self, answer: Answer, policy: &Policy) -> Result<()> {
        let (now, provider) = (self.now(), answer.call.provider);
        let one = NotFound { answer, policy: policy.clone(), now };
        self.groups()?.not_found.write(one).await?;
        self.passed().count_accepted(provider, now);
        Ok(())
    }
}

/// An answer without a number, as it is written.
#[derive(Clone)]
pub(crate) struct NotFound {
    answer: Answer,
    policy: Policy,
    now: Timestamp,
}

/// Writes down those who have no number.
pub(crate) fn write_all(conn: &mut Conn, all: Vec<NotFound>) -> BoxFuture<'_, Result<()>> {
    Box::pin(async move {
        let Some((policy, now)) = all.last().map(|one| (one.policy.clone(), one.now)) else {
            return Ok(());
        };
        let calls: Vec<i64> = all.iter().map(|one| one.answer.call.id).collect();
        gate::open_probed(conn, &calls).await?;
        settle(conn, all.iter().map(NotFound::delivery).collect(), &policy, now).await?;
        let told: Vec<Told> = all.iter().map(NotFound::told).collect();
        exec!(
            conn,
            "UPDATE calls SET outcome = COALESCE(outcome, 'not found'),
                http_status = CAST(e.value->>'http_status' AS BIGINT)
             FROM EACH($1) AS e WHERE calls.id = CAST(e.value->>'id' AS BIGINT)",
            json(&told),
        )?;
        Ok(())
    })
}

/// What the journal keeps of an answer.
#[derive(Serialize)]
struct Told {
    id: i64,
    http_status: Option<u16>,
}

impl NotFound {
    fn delivery(&self) -> Delivery {
        let results = vec![PersonResult { person_id: None, finding: Finding::NotFound }];
        Delivery { inbox: None, call_id: self.answer.call.call_id.to_string(), results }
    }

    fn told(&self) -> Told {
        Told { id: self.answer.call.id, http_status: self.answer.http_status }
    }
}
