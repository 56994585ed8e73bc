//! Work that is still to happen, by time: results that are being made and webhooks on their way.

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
    sync::{Notify, oneshot},
    time::Instant,
};

use crate::{Provider, clock, clodura_state, lock::lock, ocean_state};

/// A webhook to be sent.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) provider: Provider,
    pub(crate) url: Arc<str>,
    pub(crate) body: Bytes,
    pub(crate) attempt: u32,
    /// Dropped after the first attempt, which lets the answer go.
    pub(crate) early: Option<oneshot::Sender<()>>,
}

/// Work that is due at some time.
#[derive(Debug)]
pub(crate) enum Work {
    Ocean(ocean_state::Order),
    Clodura(clodura_state::Order),
    Send(Delivery),
}

#[derive(Debug)]
struct Timed {
    due: Instant,
    /// Keeps work that is due at the same time in order.
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
    /// Reversed: the heap gives its greatest item first, which has to be the work that is due first.
    fn cmp(&self, other: &Self) -> Order {
        (other.due, other.sequence).cmp(&(self.due, self.sequence))
    }
}

#[derive(Debug, Default)]
struct Waiting {
    by_time: BinaryHeap<Timed>,
    held: Vec<Delivery>,
    holding: bool,
    sequence: u64,
}

/// Work that is still to happen.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    pub(crate) changed: Notify,
    open: AtomicU64,
}

impl Queue {
    /// Adds new work.
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

    /// Holds all webhooks back from now on; results are made as always.
    pub(crate) fn hold(&self) {
        lock(&self.waiting).holding = true;
    }

    /// Lets all webhooks go that were held back, in order.
    pub(crate) fn release(&self) {
        let held = {
            let mut waiting = lock(&self.waiting);
            waiting.holding = false;
            std::mem::take(&mut waiting.held)
        };
        for delivery in held {
            self.put(Duration::ZERO, Work::Send(delivery));
        }
    }

    pub(crate) fn put(&self, after: Duration, work: Work) {
        let due = clock::now() + after;
        let mut waiting = lock(&self.waiting);
        waiting.sequence += 1;
        let sequence = waiting.sequence;
        waiting.by_time.push(Timed { due, sequence, work });
        drop(waiting);
        self.changed.notify_one();
    }

    /// Returns the work that is due, and the time at which the next is.
    pub(crate) fn due(&self, now: Instant) -> (Vec<Work>, Option<Instant>) {
        let mut waiting = lock(&self.waiting);
        let mut ready = Vec::new();
        while waiting.by_time.peek().is_some_and(|first| first.due <= now) {
            ready.extend(waiting.by_time.pop().map(|first| first.work));
        }
        (ready, waiting.by_time.peek().map(|first| first.due))
    }

    /// Returns the delivery, or keeps it if webhooks are held back.
    pub(crate) fn unless_held(&self, mut delivery: Delivery) -> Option<Delivery> {
        let mut waiting = lock(&self.waiting);
        if !waiting.holding {
            return Some(delivery);
        }
        delivery.early = None;
        waiting.held.push(delivery);
        None
    }

    pub(crate) fn close(&self) {
        self.open.fetch_sub(1, Ordering::Release);
    }
}
