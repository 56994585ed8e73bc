//! Requests that cost no credits, polls and balances: their journal, and what their failures mean.

use jobs::outcome::LookupFailure;
use jobs::verdict::{Closing, GateReason, Until};
use jobs::{Policy, Provider, Timestamp, backoff};

use crate::Result;
use crate::conn::{Conn, exec};
use crate::gate::{self, Gate};

/// What a failed lookup means for the gate.
pub(crate) async fn on_failure(
    conn: &mut Conn,
    provider: Provider,
    gate: &Gate,
    failure: LookupFailure,
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    let closing = match failure {
        LookupFailure::RateLimited { retry_after } => Closing {
            reason: GateReason::RateLimited,
            message: None,
            until: retry_after
                .map_or(Until::Backoff, |after| Until::After(backoff::bounded_retry_after(after))),
        },
        LookupFailure::Misconfigured { message } => Closing {
            reason: GateReason::Misconfigured,
            message: Some(message),
            until: Until::Mended,
        },
        LookupFailure::Unavailable { message } => {
            return gate::broken(conn, provider, gate, None, &message, policy, now).await;
        }
    };
    gate::close(conn, provider, gate, &closing, policy, now).await
}

pub(crate) fn describe(failure: &LookupFailure) -> String {
    match failure {
        LookupFailure::RateLimited { .. } => "rate limited".to_owned(),
        LookupFailure::Misconfigured { message } => format!("misconfigured: {message}"),
        LookupFailure::Unavailable { message } => format!("unavailable: {message}"),
    }
}

/// A request that costs no credits, for `call_log`.
pub(crate) struct Lookup<'a> {
    pub(crate) call_id: &'a str,
    pub(crate) provider: Provider,
    pub(crate) kind: &'static str,
    pub(crate) attempt: i64,
    pub(crate) sent_at: Timestamp,
    pub(crate) http_status: Option<u16>,
    pub(crate) tracking_id: Option<&'a str>,
}

impl Lookup<'_> {
    pub(crate) async fn write(&self, conn: &mut Conn, outcome: &str, now: Timestamp) -> Result<()> {
        exec!(
            conn,
            "INSERT INTO lookups (call_id, provider, kind, attempt, sent_at, finished_at, http_status, outcome, tracking_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            self.call_id,
            self.provider.as_str(),
            self.kind,
            self.attempt,
            self.sent_at.0,
            now.0,
            self.http_status.map(i64::from),
            outcome,
            self.tracking_id,
        )?;
        Ok(())
    }
}
