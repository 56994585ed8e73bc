use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures::FutureExt;
use jobs::{Clock, Provider};
use providers::body::Deadline;
use store::{Answer, ClaimReveals, ClaimedCall, StoreError};

use crate::app::App;
use crate::backend::{Claimed, Job, Source};
use crate::failpoint;
use crate::jobs::call_outcome::Outcome;
use crate::routine::Routine;
use crate::telemetry;

/// If more time than this passes between the commit that wrote a call down and its first byte, the
/// machine was suspended or the process stopped: the call goes back and is not sent.
const FRESH: Duration = Duration::from_secs(5);

/// The most people that one transaction claims: other writes wait for that transaction, and so does the first of its
/// calls.
const MOST_PEOPLE: usize = 1_000;

/// The reveals that are due at one provider.
pub struct DueReveals {
    /// The application.
    pub app: App,
    /// The provider.
    pub provider: Provider,
    /// Most people in one call.
    pub people: usize,
    /// The most people out while no webhook has proved the webhook URL.
    pub canary: usize,
}

impl Source for DueReveals {
    type Work = ClaimedCall;

    const CLAIMS_AHEAD: bool = true;

    async fn claim(&mut self, most: usize) -> Result<Claimed<ClaimedCall>, StoreError> {
        let ask = ClaimReveals {
            provider: self.provider,
            worker: self.app.worker,
            calls: most.min((MOST_PEOPLE / self.people.max(1)).max(1)),
            people: self.people,
            price: self.app.price(self.provider),
            rate: self.app.rate(self.provider),
            canary: self.canary,
            credits_check_interval: self.app.policy.credits_check_interval,
        };
        let claims = self.app.store.calls().claim_reveals(ask).await?;
        let paced = claims.paced;
        Ok(Claimed { work: claims.calls, again_at: claims.again_at, paced })
    }
}

/// Sends a claimed call with `request`, and writes down what came of it. Every exit, a panic included, leaves the
/// call in a state that says what may have happened. Every log line about the call has its id from the span.
#[tracing::instrument(name = "call", skip_all, fields(call_id = %job.work.call_id, provider = %job.work.provider, people = job.work.people.len(), kind = O::KIND.as_str(), http_status, outcome))]
pub async fn send<F, O>(app: &App, clock: &Clock, job: &Job<ClaimedCall>, request: F)
where
    F: Future<Output = O>,
    O: Outcome,
{
    let call = job.work.clone();
    let provider = call.provider;
    failpoint::reached("written_sending");
    if !wait_for_its_moment(app, job).await {
        return give_back(app, call, "the gate closed before it was sent").await;
    }
    // Checked once more before the first byte leaves: connecting may take longer.
    if clock.now().since(call.sent_at) > FRESH {
        tracing::warn!("more than 5 s passed before sending; giving the call back");
        return give_back(app, call, "not sent within 5 s").await;
    }
    tracing::debug!("sending");
    let started = Instant::now();
    let deadline = Deadline { clock: clock.clone(), written_at: call.sent_at, patience: FRESH };
    let request = providers::body::by(deadline, failpoint::in_request(request));
    let (outcome, http_status) =
        match AssertUnwindSafe(providers::http::with_status(request)).catch_unwind().await {
            Ok(answer) => answer,
            Err(_) => (O::unknown("the handler panicked".to_owned()), None),
        };
    let took = started.elapsed();
    app.metrics().request(provider, O::KIND, outcome.label(), took);
    log(app, provider, &outcome, http_status, took);
    telemetry::span_ended(http_status, outcome.label());
    failpoint::reached("answer_read");
    // Not after a refusal: no other call may be sent before the gate knows of the refusal.
    if outcome.went_well() {
        job.free_slot();
    }
    let answer = Answer { call, http_status };
    let written =
        app.retry_write("an answer", || outcome.clone().record(app, answer.clone())).await;
    if let Err(error) = written {
        tracing::error!(%error, "an answer could not be written down");
    }
    failpoint::reached("answer_written");
}

fn log<O: Outcome>(
    app: &App,
    provider: Provider,
    outcome: &O,
    http_status: Option<u16>,
    took: Duration,
) {
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let outcome_label = outcome.label();
    if outcome.went_well() && Routine::covers(provider) {
        app.routine().request(provider);
        tracing::debug!(http_status, outcome = outcome_label, took_ms, "answered");
    } else {
        tracing::info!(http_status, outcome = outcome_label, took_ms, "answered");
    }
}

/// Waits for the call's send slot under the rate limit. Returns false if the gate was closed while the call waited for this or
/// another slot, or if its state can't be read.
async fn wait_for_its_moment(app: &App, job: &Job<ClaimedCall>) -> bool {
    let call = &job.work;
    if call.send_slot <= Instant::now() && !job.is_doubtful {
        return true;
    }
    tokio::time::sleep_until(call.send_slot.into()).await;
    app.store.calls().may_leave(call).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "can't see whether the gate is open");
        false
    })
}

/// Gives back a call that was not sent.
pub async fn give_back(app: &App, call: ClaimedCall, why: &'static str) {
    let call_id = call.call_id;
    let written = app
        .retry_write("a call given back", || {
            app.store.calls().give_back(call.clone(), why.to_owned())
        })
        .await;
    if let Err(error) = written {
        tracing::warn!(%call_id, %error, "a call could not be given back");
    }
}
