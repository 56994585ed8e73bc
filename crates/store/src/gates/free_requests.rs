//! Requests that cost no credits, polls and balances: their journal, and what their failures mean.

use std::borrow::Cow;

use db::Conn;
use db::bulk::{ints, same, texts, words, write_rows};
use jobs::outcome::FreeRequestFailure;
use jobs::verdict::{Closing, GateReason, Until, named_time};
use jobs::{Policy, Provider, Timestamp};

use crate::error::Result;
use crate::gates::closing;
use crate::gates::gate::Gate;

/// Closes the gate or counts a broken answer, as the failure of a free request requires.
pub(crate) async fn on_failure(
    conn: &mut Conn,
    provider: Provider,
    gate: &Gate,
    failure: FreeRequestFailure,
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    let closing = match failure {
        FreeRequestFailure::RateLimited { retry_after } => Closing {
            reason: GateReason::RateLimited,
            message: None,
            until: retry_after.map_or(Until::Backoff, named_time),
        },
        FreeRequestFailure::Misconfigured { message } => Closing {
            reason: GateReason::Misconfigured,
            message: Some(message),
            until: Until::Fixed,
        },
        FreeRequestFailure::Unavailable { message } => {
            return closing::broken(conn, provider, gate, None, &message, policy, now).await;
        }
    };
    closing::close(conn, provider, gate, &closing, policy, now).await
}

pub(crate) fn describe(failure: &FreeRequestFailure) -> String {
    match failure {
        FreeRequestFailure::RateLimited { .. } => "rate limited".to_owned(),
        FreeRequestFailure::Misconfigured { message } => format!("misconfigured: {message}"),
        FreeRequestFailure::Unavailable { message } => format!("unavailable: {message}"),
    }
}

/// A request that costs no credits, for `call_log`.
pub(crate) struct FreeRequest<'a> {
    pub(crate) call_id: &'a str,
    pub(crate) provider: Provider,
    pub(crate) kind: &'static str,
    pub(crate) attempt: i64,
    pub(crate) sent_at: i64,
    pub(crate) http_status: Option<u16>,
    pub(crate) tracking_id: Option<&'a str>,
    pub(crate) outcome: Cow<'static, str>,
}

impl FreeRequest<'_> {
    pub(crate) async fn write_all(
        conn: &mut Conn,
        free_requests: Vec<FreeRequest<'_>>,
        now: Timestamp,
    ) -> Result<()> {
        let all = &free_requests;
        let columns = vec![
            ("call_id", texts(all.iter().map(|one| Some(one.call_id)))),
            ("provider", words(all.iter().map(|one| Some(one.provider.as_str())))),
            ("kind", words(all.iter().map(|one| Some(one.kind)))),
            ("attempt", ints(all.iter().map(|one| one.attempt))),
            ("sent_at", ints(all.iter().map(|one| one.sent_at))),
            ("finished_at", same(now.0, all.len())),
            ("http_status", ints(all.iter().map(|one| one.http_status.map(i64::from)))),
            ("outcome", texts(all.iter().map(|one| Some(&*one.outcome)))),
            ("tracking_id", texts(all.iter().map(|one| one.tracking_id))),
        ];
        write_rows(
            conn,
            "INSERT INTO free_requests (call_id, provider, kind, attempt, sent_at, finished_at, http_status, outcome, tracking_id)
             SELECT e.call_id, e.provider, e.kind, e.attempt, e.sent_at, e.finished_at, e.http_status, e.outcome, e.tracking_id
             FROM ROWS",
            columns,
        )
        .await?;
        Ok(())
    }
}
