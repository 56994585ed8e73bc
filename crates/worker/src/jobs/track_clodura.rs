use std::time::Instant;

use apalis_core::error::BoxDynError;
use apalis_core::task::data::Data;
use jobs::Provider;
use jobs::outcome::{FreeRequestFailure, TrackOutcome};
use store::{ClaimedPoll, StoreError};

use crate::app::App;
use crate::backend::{Claimed, Job, Source};
use crate::metrics::{Kind, free_outcome};
use crate::telemetry;

/// Tracking ids whose webhook is late.
pub struct LateResults(pub App);

impl Source for LateResults {
    type Work = ClaimedPoll;

    async fn claim(&mut self, most: usize) -> Result<Claimed<ClaimedPoll>, StoreError> {
        let polls = self
            .0
            .store
            .calls()
            .claim_polls(Provider::Clodura, most, self.0.rate(Provider::Clodura))
            .await?;
        Ok(Claimed { work: polls.polls, again_at: polls.again_at, paced: false })
    }
}

/// Asks for one result.
///
/// # Errors
/// None: the ledger has recorded every outcome.
pub async fn handle(job: Job<ClaimedPoll>, app: Data<App>) -> Result<(), BoxDynError> {
    let poll = job.work.clone();
    let started = Instant::now();
    let (result, status) = ask(&app, &poll).await;
    app.metrics().free_request(Provider::Clodura, Kind::Track, &result, started.elapsed());
    if result.is_ok() {
        job.free_slot();
    }
    let written = app
        .retry_write("a poll", || {
            app.store.calls().record_poll(poll.clone(), result.clone(), status, &app.policy)
        })
        .await;
    if let Err(error) = written {
        tracing::error!(call_id = %poll.call_id, %error, "a poll could not be written down");
    }
    Ok(())
}

/// Returns the result, and the HTTP status that came back.
#[tracing::instrument(level = "debug", name = "poll", skip_all, fields(call_id = poll.call_id, provider = %poll.provider, kind = "track", http_status, outcome))]
async fn ask(
    app: &App,
    poll: &ClaimedPoll,
) -> (Result<TrackOutcome, FreeRequestFailure>, Option<u16>) {
    let (result, status) = match &app.clodura {
        Some(client) => providers::http::with_status(client.track(&poll.tracking_id)).await,
        None => (
            Err(FreeRequestFailure::Unavailable { message: "this worker has no key".into() }),
            None,
        ),
    };
    telemetry::span_ended(status, free_outcome(&result));
    (result, status)
}
