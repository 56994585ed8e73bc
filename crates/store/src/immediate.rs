//! An answer that is a result already: Clodura's 404. Taken down in one step, since a worker that
//! died between two would leave the person waiting for a webhook that never comes.

use jobs::outcome::{Finding, PersonResult};
use jobs::{Policy, Timestamp};

use crate::conn::Conn;
use crate::each::{each, ints};
use crate::gate;
use crate::grouped::Item;
use crate::settle::{Delivery, settle};
use crate::totals::Totals;
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

impl Item for NotFound {}

/// Writes down those who have no number.
pub(crate) fn write_all(conn: &mut Conn, all: Vec<NotFound>) -> BoxFuture<'_, Result<Vec<usize>>> {
    Box::pin(async move {
        let Some((policy, now)) = all.last().map(|one| (one.policy.clone(), one.now)) else {
            return Ok(Vec::new());
        };
        let calls = all.iter().map(|one| &one.answer.call);
        let probes: Vec<i64> = calls.filter(|call| call.probe).map(|call| call.id).collect();
        gate::open_probed(conn, &probes).await?;
        let mut totals = Totals::default();
        let deliveries = all.iter().map(NotFound::delivery).collect();
        settle(conn, &mut totals, deliveries, &policy, now).await?;
        let told = vec![
            ("id", ints(all.iter().map(|one| one.answer.call.id))),
            ("http_status", ints(all.iter().map(|one| one.answer.http_status.map(i64::from)))),
        ];
        each(
            conn,
            "UPDATE calls SET outcome = COALESCE(calls.outcome, 'not found'), http_status = e.http_status
             FROM ROWS WHERE calls.id = e.id",
            told,
        )
        .await?;
        totals.flush(conn, now).await?;
        Ok(Vec::new())
    })
}

impl NotFound {
    fn delivery(&self) -> Delivery {
        let results =
            vec![PersonResult { person_id: None, finding: Finding::NotFound, remark: None }];
        Delivery {
            inbox: None,
            call_id: self.answer.call.call_id.to_string(),
            results,
            credits_used: None,
        }
    }
}
