use apalis_core::error::BoxDynError;
use apalis_core::task::data::Data;
use jobs::outcome::{Refusal, RevealOutcome};
use jobs::{Identifier, Provider};
use store::ClaimedCall;

use super::send_call;
use crate::app::App;
use crate::backend::Job;

/// Sends one call.
///
/// # Errors
/// None: the ledger has recorded every outcome.
pub async fn handle(job: Job<ClaimedCall>, app: Data<App>) -> Result<(), BoxDynError> {
    let request = reveal(&app, &job.work);
    // On the heap: apalis moves a task's future several times before it runs.
    Box::pin(send_call::send(&app, &app.store.clock(), &job, request)).await;
    Ok(())
}

/// Without a webhook URL Clodura is asked without partners, and polled.
async fn reveal(app: &App, call: &ClaimedCall) -> RevealOutcome {
    // A worker without a key claims nothing here (`crate::runner`).
    let Some(client) = &app.clodura else { return RevealOutcome::NotSent };
    let Some(person) = call.people.first().and_then(|person| Identifier::decode(person)) else {
        let message = "the ledger holds an identifier that this version can't read".to_owned();
        return RevealOutcome::Refused(Refusal::BadRequest { message });
    };
    let webhook = app.webhook_url(Provider::Clodura, &call.call_id.to_string());
    client.reveal(&person, webhook.as_deref(), app.limits.clodura_partners).await
}
