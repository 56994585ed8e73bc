use apalis_core::error::BoxDynError;
use apalis_core::task::data::Data;
use jobs::outcome::{LookupOutcome, RevealOutcome};
use jobs::{CallKind, Identifier, Provider, lookup};
use store::ClaimedCall;

use super::send_call;
use crate::app::App;
use crate::backend::Job;

/// Sends one call.
///
/// # Errors
/// None: the ledger has recorded every outcome.
pub async fn handle(job: Job<ClaimedCall>, app: Data<App>) -> Result<(), BoxDynError> {
    let (clock, call) = (app.store.clock(), &job.work);
    // On the heap: apalis moves a task's future several times before it runs.
    match call.kind {
        CallKind::Reveal => Box::pin(send_call::send(&app, &clock, &job, reveal(&app, call))).await,
        CallKind::Lookup => {
            Box::pin(send_call::send(&app, &clock, &job, look_up(&app, call))).await
        }
    }
    Ok(())
}

async fn look_up(app: &App, call: &ClaimedCall) -> LookupOutcome {
    match &app.ocean {
        Some(client) => client.look_up(&lookup::handles(&call.people)).await,
        None => LookupOutcome::NotSent,
    }
}

async fn reveal(app: &App, call: &ClaimedCall) -> RevealOutcome {
    // A worker without a key or a webhook URL claims nothing here (`crate::runner`).
    let Some(client) = &app.ocean else { return RevealOutcome::NotSent };
    let Some(webhook_url) = app.webhook_url(Provider::Ocean, &call.call_id.to_string()) else {
        return RevealOutcome::NotSent;
    };
    let people: Vec<Identifier> =
        call.people.iter().filter_map(|person| Identifier::decode(person)).collect();
    let ids: Vec<&str> = people.iter().map(Identifier::value).collect();
    client.reveal(&ids, &webhook_url).await
}
