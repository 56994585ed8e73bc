//! Results that are being made and webhooks on their way: one queue by time, one task that watches it, one that sends.

use std::{
    cmp::Ordering as Order,
    collections::BinaryHeap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::body::Bytes;
use tokio::{
    sync::{Notify, Semaphore, mpsc, oneshot},
    task::JoinSet,
    time::Instant,
};

use crate::{Provider, clock, clodura, lock::lock, ocean, world::World};

/// A webhook to be sent.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) provider: Provider,
    pub(crate) url: Arc<str>,
    pub(crate) body: Bytes,
    pub(crate) attempt: u32,
    /// Told (or dropped) after the first attempt.
    pub(crate) early: Option<oneshot::Sender<()>>,
}

/// Something that is due at some time.
#[derive(Debug)]
pub(crate) enum Work {
    Ocean(ocean::Order),
    Clodura(clodura::Order),
    Send(Parcel),
}

#[derive(Debug)]
struct Timed {
    due: Instant,
    /// Keeps what is due at the same time in order.
    sequence: u64,
    work: Work,
}

impl PartialEq for Timed {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Order::Equal
    }
}

impl Eq for Timed {}

impl PartialOrd for Timed {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}

impl Ord for Timed {
    /// Reversed: the heap gives its greatest first, and that has to be what is due first.
    fn cmp(&self, other: &Self) -> Order {
        (other.due, other.sequence).cmp(&(self.due, self.sequence))
    }
}

#[derive(Debug, Default)]
struct Waiting {
    by_time: BinaryHeap<Timed>,
    held: Vec<Parcel>,
    holding: bool,
    sequence: u64,
}

/// All that is still to happen.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Notify,
    open: AtomicU64,
}

impl Queue {
    /// Puts new work in.
    pub(crate) fn push(&self, after: Duration, work: Work) {
        self.open.fetch_add(1, Ordering::Release);
        self.put(after, work);
    }

    /// Work that is neither done nor given up.
    pub(crate) fn open(&self) -> u64 {
        self.open.load(Ordering::Acquire)
    }

    /// Webhooks that are held back.
    pub(crate) fn held(&self) -> u64 {
        lock(&self.waiting).held.len() as u64
    }

    /// From now on no webhook leaves; results are made as always.
    pub(crate) fn hold(&self) {
        lock(&self.waiting).holding = true;
    }

    /// Lets everything go that was held back, in order.
    pub(crate) fn release(&self) {
        let held = {
            let mut waiting = lock(&self.waiting);
            waiting.holding = false;
            std::mem::take(&mut waiting.held)
        };
        for parcel in held {
            self.put(Duration::ZERO, Work::Send(parcel));
        }
    }

    fn put(&self, after: Duration, work: Work) {
        let due = clock::now() + after;
        let mut waiting = lock(&self.waiting);
        waiting.sequence += 1;
        let sequence = waiting.sequence;
        waiting.by_time.push(Timed { due, sequence, work });
        drop(waiting);
        self.changed.notify_one();
    }

    /// What is due, and when the next is.
    fn due(&self, now: Instant) -> (Vec<Work>, Option<Instant>) {
        let mut waiting = lock(&self.waiting);
        let mut ready = Vec::new();
        while waiting.by_time.peek().is_some_and(|first| first.due <= now) {
            ready.extend(waiting.by_time.pop().map(|first| first.work));
        }
        (ready, waiting.by_time.peek().map(|first| first.due))
    }

    /// Gives the parcel back unless webhooks are held.
    fn unless_held(&self, mut parcel: Parcel) -> Option<Parcel> {
        let mut waiting = lock(&self.waiting);
        if !waiting.holding {
            return Some(parcel);
        }
        parcel.early = None;
        waiting.held.push(parcel);
        None
    }

    fn close(&self) {
        self.open.fetch_sub(1, Ordering::Release);
    }
}

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
