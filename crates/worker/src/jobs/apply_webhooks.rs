use apalis_core::error::BoxDynError;
use apalis_core::task::data::Data;
use jobs::Provider;
use providers::webhook::{Malformed, Reading};
use store::{Applied, Delivery, NextWebhook, PutOff, StoreError, StoredWebhook};

use crate::app::App;
use crate::backend::{Claimed, Job, Source};
use crate::bodies;
use crate::failpoint;
use crate::parser_thread::on_parser_thread;
use crate::routine::Routine;

/// Webhooks that one transaction applies at most.
const MOST_WEBHOOKS: usize = 500;
/// Bytes of bodies that one transaction applies, about: results of more than a thousand people. Webhooks that come in
/// meanwhile wait for the transaction.
const MOST_BYTES: i64 = 128 * 1024;

/// Webhooks that are stored and not applied yet.
pub struct PendingWebhooks(pub App);

impl Source for PendingWebhooks {
    /// No task is claimed: applying is idempotent, and one task at a time drains the inbox.
    type Work = ();

    async fn claim(&mut self, _most: usize) -> Result<Claimed<()>, StoreError> {
        let (work, again_at) = match self.0.store.results().next_webhook().await? {
            NextWebhook::Waits => (vec![()], None),
            NextWebhook::PutOff(until) => (Vec::new(), Some(until)),
            NextWebhook::None => (Vec::new(), None),
        };
        Ok(Claimed { work, again_at, paced: false })
    }
}

/// Drains the inbox.
///
/// # Errors
/// None: a webhook that fails is tried again.
pub async fn handle(_job: Job<()>, app: Data<App>) -> Result<(), BoxDynError> {
    loop {
        match drain_once(&app).await {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error @ StoreError::Lost { .. }) => {
                tracing::debug!(%error, "another worker was faster")
            }
            Err(error) => {
                tracing::warn!(%error, "webhooks can't be applied; trying again");
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            }
        }
        if app.stopping.is_cancelled() {
            return Ok(());
        }
    }
}

async fn drain_once(app: &App) -> Result<usize, StoreError> {
    let pending = app.store.results().pending_webhooks(MOST_WEBHOOKS, MOST_BYTES).await?;
    let n = pending.len();
    if n > 0 {
        apply(app, pending).await?;
    }
    Ok(n)
}

/// Applies a round of webhooks.
#[tracing::instrument(level = "debug", name = "apply", skip_all)]
async fn apply(app: &App, pending: Vec<StoredWebhook>) -> Result<(), StoreError> {
    let mut deliveries = Vec::with_capacity(pending.len());
    let mut came = Vec::with_capacity(pending.len());
    for (webhook, delivery) in read_all(pending).await {
        match delivery {
            Ok(delivery) => {
                came.push((webhook.provider, webhook.received_at));
                deliveries.push(delivery);
            }
            Err(error) => {
                tracing::warn!(call_id = webhook.call_id, %error, "a stored webhook can't be read");
                app.store.results().mark_malformed(webhook.id).await?;
                let waited = app.store.now().since(webhook.received_at);
                app.metrics().webhook_applied(webhook.provider, "malformed", waited);
            }
        }
    }
    if deliveries.is_empty() {
        return Ok(());
    }
    let calls: Vec<String> = deliveries.iter().map(|d| d.call_id.clone()).collect();
    let (applied, failure) = settle(app, deliveries).await;
    failpoint::reached("applied");
    let now = app.store.now();
    for ((call_id, (provider, at)), outcome) in calls.iter().zip(came).zip(applied) {
        let Some(outcome) = outcome else { continue };
        log(app, provider, call_id, outcome);
        app.metrics().webhook_applied(provider, outcome.as_str(), now.since(at));
    }
    failure.map_or(Ok(()), Err)
}

/// Applies deliveries in one transaction. If the transaction fails, one delivery may be to blame: each is then
/// applied by itself, so that it keeps no other waiting. Returns what came of each, and the failure that ended the
/// work.
async fn settle(
    app: &App,
    deliveries: Vec<Delivery>,
) -> (Vec<Option<Applied>>, Option<StoreError>) {
    match app.store.results().settle(deliveries.clone(), &app.policy).await {
        Ok(applied) => return (applied.into_iter().map(Some).collect(), None),
        // Webhooks that another worker has applied are left out the next time.
        Err(lost @ StoreError::Lost { .. }) => return (Vec::new(), Some(lost)),
        Err(_) => {}
    }
    let mut applied = Vec::with_capacity(deliveries.len());
    for delivery in deliveries {
        let (inbox, call_id) = (delivery.inbox, delivery.call_id.clone());
        match app.store.results().settle(vec![delivery], &app.policy).await {
            Ok(outcome) => applied.extend(outcome.into_iter().map(Some)),
            Err(lost @ StoreError::Lost { .. }) => return (applied, Some(lost)),
            Err(error) => match put_off(app, inbox, &call_id, error).await {
                Ok(()) => applied.push(None),
                Err(error) => return (applied, Some(error)),
            },
        }
    }
    (applied, None)
}

/// Leaves a webhook alone for a while. If not even that can be written down, the webhook isn't to blame: the database
/// is.
async fn put_off(
    app: &App,
    inbox: Option<i64>,
    call_id: &str,
    error: StoreError,
) -> Result<(), StoreError> {
    let Some(id) = inbox else { return Err(error) };
    if let Some(PutOff { failures, retry_at }) = app.store.results().put_off_webhook(id).await? {
        let retry_at = retry_at.iso8601();
        tracing::warn!(call_id, failures, retry_at, %error, "a webhook can't be applied; it is kept");
    }
    Ok(())
}

async fn read_all(
    pending: Vec<StoredWebhook>,
) -> Vec<(StoredWebhook, Result<Delivery, Malformed>)> {
    let reading = on_parser_thread(|| {
        let read = |webhook: StoredWebhook| {
            let delivery = bodies::guarded(|| read(&webhook));
            (StoredWebhook { body: Vec::new(), ..webhook }, delivery)
        };
        pending.into_iter().map(read).collect()
    });
    reading.await.unwrap_or_default()
}

/// A body was readable when it was received; one from an older version's inbox may not be.
fn read(webhook: &StoredWebhook) -> Result<Delivery, Malformed> {
    let reading = providers::webhook::parse(webhook.provider, &webhook.body)?;
    log_oddities(&webhook.call_id, &reading);
    let StoredWebhook { provider, ref call_id, id, .. } = *webhook;
    let Reading { results, credits_used, .. } = reading;
    Ok(Delivery::new(provider, call_id.clone(), Some(id), results, credits_used))
}

/// Logs entries that could not be read, or that were read although no published format names them: counts and names
/// of fields, no data.
fn log_oddities(call_id: &str, reading: &Reading) {
    let entries = reading.passed_over;
    if entries > 0 {
        tracing::warn!(call_id, entries, "entries of a webhook can't be read; the others count");
    }
    if !reading.odd_fields.is_empty() {
        let fields = reading.odd_fields.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        tracing::warn!(
            call_id,
            fields,
            "numbers were read from fields that the provider has not published"
        );
    }
    let people = reading.unreadable();
    if people > 0 {
        tracing::warn!(
            call_id,
            people,
            "said to be found, but no number can be read; they stay open, and `enqueue replay` applies the body once it can be read"
        );
    }
}

fn log(app: &App, provider: Provider, call_id: &str, outcome: Applied) {
    match outcome {
        Applied::Applied if Routine::covers(provider) => {
            app.routine().result(provider);
            tracing::debug!(call_id, outcome = outcome.as_str(), "results applied");
        }
        Applied::UnknownPerson | Applied::UnknownCall => {
            tracing::warn!(
                call_id,
                outcome = outcome.as_str(),
                "a webhook names no person of its call"
            );
        }
        Applied::Applied | Applied::Late => {
            tracing::info!(call_id, outcome = outcome.as_str(), "results applied");
        }
        _ => tracing::debug!(call_id, outcome = outcome.as_str(), "webhook applied"),
    }
}
