//! Results that are being made and webhooks on their way: one queue by time, one task that watches it, one that sends.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};

use crate::{
    clock, clodura, ocean,
    queue::{Delivery, Work},
    sandbox_state::SandboxState,
};

/// Makes results when they are due and passes webhooks on.
pub(crate) async fn watch(state: Arc<SandboxState>, outbox: mpsc::UnboundedSender<Delivery>) {
    loop {
        let (ready, next) = state.queue.due(clock::now());
        for work in ready {
            match work {
                Work::Ocean(order) => ocean::finish(&state, order),
                Work::Clodura(order) => clodura::finish(&state, order),
                Work::Send(delivery) => {
                    if outbox.send(delivery).is_err() {
                        return;
                    }
                    continue;
                }
            }
            state.queue.close();
        }
        let changed = state.queue.changed.notified();
        match next {
            // An error means that the time is up.
            Some(due) => drop(tokio::time::timeout_at(due, changed).await),
            None => changed.await,
        }
    }
}

/// Sends webhooks, up to `delivery.concurrency` at a time.
pub(crate) async fn dispatch(
    state: Arc<SandboxState>,
    mut outbox: mpsc::UnboundedReceiver<Delivery>,
) {
    let slots = Arc::new(Semaphore::new(state.config().delivery.concurrency));
    // Dropped with this task, which ends the requests that are under way.
    let mut sending = JoinSet::new();
    while let Some(delivery) = outbox.recv().await {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let Some(delivery) = state.queue.unless_held(delivery) else { continue };
        let state = Arc::clone(&state);
        sending.spawn(async move {
            deliver(&state, delivery).await;
            drop(slot);
        });
        while sending.try_join_next().is_some() {}
    }
}

async fn deliver(state: &SandboxState, mut delivery: Delivery) {
    let config = state.config();
    state.audit().webhooks(delivery.provider).attempts += 1;
    let mut request = state.client.post(&*delivery.url).header("content-type", "application/json");
    if delivery.body.starts_with(&[0x1f, 0x8b]) {
        request = request.header("content-encoding", "gzip");
    }
    let request = request
        .timeout(Duration::from_millis(config.delivery.timeout_ms))
        .body(delivery.body.clone());
    let delivered = match request.send().await {
        Ok(response) if response.status().is_success() => {
            // Read to the end, or the connection can't be used again.
            let _ = response.bytes().await;
            true
        }
        Ok(response) => {
            tracing::debug!(provider = %delivery.provider, status = %response.status(), "webhook refused");
            false
        }
        Err(error) => {
            tracing::debug!(provider = %delivery.provider, error = %error.without_url(), "webhook not delivered");
            false
        }
    };
    drop(delivery.early.take());
    if !delivered && delivery.attempt < config.delivery.attempts {
        delivery.attempt += 1;
        state
            .queue
            .put(Duration::from_millis(config.delivery.retry_delay_ms), Work::Send(delivery));
        return;
    }
    {
        let mut audit = state.audit();
        let counts = audit.webhooks(delivery.provider);
        counts.delivered += u64::from(delivered);
        counts.given_up += u64::from(!delivered);
    }
    state.queue.close();
}
