//! Results that are being made and webhooks on their way: one queue by time, one task that watches it, one that sends.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};

use crate::{
    clock, clodura, ocean,
    queue::{Parcel, Work},
    world::World,
};

/// Makes results when they are due and passes webhooks on.
pub(crate) async fn watch(world: Arc<World>, outbox: mpsc::UnboundedSender<Parcel>) {
    loop {
        let (ready, next) = world.queue.due(clock::now());
        for work in ready {
            match work {
                Work::Ocean(order) => ocean::finish(&world, order),
                Work::Clodura(order) => clodura::finish(&world, order),
                Work::Send(parcel) => {
                    if outbox.send(parcel).is_err() {
                        return;
                    }
                    continue;
                }
            }
            world.queue.close();
        }
        let changed = world.queue.changed.notified();
        match next {
            // An error is the time being up.
            Some(due) => drop(tokio::time::timeout_at(due, changed).await),
            None => changed.await,
        }
    }
}

/// Sends webhooks, so many at a time.
pub(crate) async fn dispatch(world: Arc<World>, mut outbox: mpsc::UnboundedReceiver<Parcel>) {
    let slots = Arc::new(Semaphore::new(world.config().delivery.concurrency));
    // Dropped with this task, which ends what is being sent.
    let mut sending = JoinSet::new();
    while let Some(parcel) = outbox.recv().await {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let Some(parcel) = world.queue.unless_held(parcel) else { continue };
        let world = Arc::clone(&world);
        sending.spawn(async move {
            deliver(&world, parcel).await;
            drop(slot);
        });
        while sending.try_join_next().is_some() {}
    }
}

async fn deliver(world: &World, mut parcel: Parcel) {
    let config = world.config();
    world.audit().webhooks(parcel.provider).attempts += 1;
    let mut request = world.client.post(&*parcel.url).header("content-type", "application/json");
    if parcel.body.starts_with(&[0x1f, 0x8b]) {
        request = request.header("content-encoding", "gzip");
    }
    let request = request
        .timeout(Duration::from_millis(config.delivery.timeout_ms))
        .body(parcel.body.clone());
    let delivered = match request.send().await {
        Ok(response) if response.status().is_success() => {
            // Read to the end, or the connection can't be used again.
            let _ = response.bytes().await;
            true
        }
        Ok(response) => {
            tracing::debug!(provider = %parcel.provider, status = %response.status(), "webhook refused");
            false
        }
        Err(error) => {
            tracing::debug!(provider = %parcel.provider, error = %error.without_url(), "webhook not delivered");
            false
        }
    };
    drop(parcel.early.take());
    if !delivered && parcel.attempt < config.delivery.attempts {
        parcel.attempt += 1;
        world.queue.put(Duration::from_millis(config.delivery.retry_delay_ms), Work::Send(parcel));
        return;
    }
    {
        let mut audit = world.audit();
        let counts = audit.webhooks(parcel.provider);
        counts.delivered += u64::from(delivered);
        counts.given_up += u64::from(!delivered);
    }
    world.queue.close();
}
