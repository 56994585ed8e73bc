//! All that is still to happen, by time: results that are being made and webhooks on their way.

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
    /// Told (or dropped) after the first attempt.
    pub(crate) early: Option<oneshot::Sender<()>>,
}

/// Something that is due at some time.
#[derive(Debug)]
pub(crate) enum Work {
    Ocean(ocean_state::Order),
    Clodura(clodura_state::Order),
    Send(Delivery),
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
    held: Vec<Delivery>,
    holding: bool,
    sequence: u64,
}

/// All that is still to happen.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    pub(crate) changed: Notify,
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

    /// What is due, and when the next is.
    pub(crate) fn due(&self, now: Instant) -> (Vec<Work>, Option<Instant>) {
        let mut waiting = lock(&self.waiting);
        let mut ready = Vec::new();
        while waiting.by_time.peek().is_some_and(|first| first.due <= now) {
            ready.extend(waiting.by_time.pop().map(|first| first.work));
        }
        (ready, waiting.by_time.peek().map(|first| first.due))
    }

    /// Gives the delivery back unless webhooks are held.
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
