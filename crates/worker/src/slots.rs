//! Slots: how many requests of one kind are open at once, and how many tasks are claimed before there is a slot for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Where there are at least this many slots, the work in each is small, and claiming it costs about as much.
const MANY: usize = 8;
/// Tasks are claimed ahead only if slots are freed faster than this; a task that waited longer asks the gate again.
const SOON: Duration = Duration::from_millis(100);
/// The most tasks that are claimed ahead, for each slot.
const MOST_AHEAD: usize = 3;

/// The slots of one kind of work.
#[derive(Clone)]
pub struct Slots {
    all: usize,
    free: Arc<Semaphore>,
    ended: Arc<Ended>,
}

/// How many tasks have freed their slot so far.
#[derive(Default)]
struct Ended {
    well: AtomicUsize,
    otherwise: AtomicUsize,
}

impl Slots {
    /// This many free slots.
    #[must_use]
    pub fn new(all: usize) -> Self {
        Slots { all, free: Arc::new(Semaphore::new(all)), ended: Arc::default() }
    }

    /// Waits until a slot is free, and takes it.
    pub async fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).acquire_owned().await.ok()
    }

    /// Takes all slots that are free, after waiting for the others of many.
    pub async fn take_more(&self, slots: &mut OwnedSemaphorePermit, wait: Option<Duration>) {
        let count = |slots: usize| u32::try_from(slots).unwrap_or(u32::MAX);
        if let Some(wait) = wait.filter(|_| self.all >= MANY) {
            let others = Arc::clone(&self.free).acquire_many_owned(count(self.all - 1));
            if let Ok(Ok(more)) = tokio::time::timeout(wait, others).await {
                slots.merge(more);
            }
        }
        let others = count(self.free.available_permits());
        if let Ok(more) = Arc::clone(&self.free).try_acquire_many_owned(others) {
            slots.merge(more);
        }
    }

    /// The slot of a task.
    #[must_use]
    pub fn slot(&self, permit: OwnedSemaphorePermit) -> Slot {
        Slot { _permit: permit, ended: Arc::clone(&self.ended), well: false }
    }

    /// Starts counting what ends from now on.
    #[must_use]
    pub fn since_now(&self) -> Since {
        Since {
            at: Instant::now(),
            well: self.ended.well.load(Ordering::Relaxed),
            otherwise: self.ended.otherwise.load(Ordering::Relaxed),
            slots: self.clone(),
        }
    }
}

/// Taken until it is dropped.
pub struct Slot {
    _permit: OwnedSemaphorePermit,
    ended: Arc<Ended>,
    well: bool,
}

impl Slot {
    /// Frees the slot of a task that went well.
    pub fn free(mut self) {
        self.well = true;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let count = if self.well { &self.ended.well } else { &self.ended.otherwise };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// A moment, and what had ended by then.
pub struct Since {
    at: Instant,
    well: usize,
    otherwise: usize,
    slots: Slots,
}

impl Since {
    /// How many tasks can be claimed beyond the free slots: as many as freed their slots since then. The claim's commit takes
    /// about as long, so that there will be slots for them soon.
    #[must_use]
    pub fn ahead(&self) -> usize {
        let freed = self.slots.ended.well.load(Ordering::Relaxed).wrapping_sub(self.well);
        if self.is_doubtful() { 0 } else { ahead(self.slots.all, freed) }
    }

    /// Whether something may have closed the gate since then.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        self.at.elapsed() > SOON
            || self.slots.ended.otherwise.load(Ordering::Relaxed) != self.otherwise
    }
}

fn ahead(slots: usize, freed: usize) -> usize {
    if slots < MANY { 0 } else { freed.min(slots * MOST_AHEAD) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_claimed_ahead_as_were_freed() {
        // Slots, freed, and what is claimed ahead.
        let cases = [
            (32, 0, 0),
            (32, 20, 20),
            (32, 96, 96),
            (32, 97, 96),
            (MANY, 5, 5),
            (MANY - 1, 5, 0), // a task has many people: the next one isn't worth the risk
            (1, 1, 0),
        ];
        for (slots, freed, expected) in cases {
            assert_eq!(ahead(slots, freed), expected, "{slots} slots, {freed} freed");
        }
    }

    #[tokio::test]
    async fn nothing_is_claimed_ahead_after_a_refusal() {
        let slots = Slots::new(32);
        let since = slots.since_now();
        for _ in 0..3 {
            slots.slot(slots.take().await.unwrap()).free();
        }
        assert_eq!(since.ahead(), 3);
        assert!(!since.is_doubtful());
        drop(slots.slot(slots.take().await.unwrap()));
        assert_eq!(since.ahead(), 0);
        assert!(since.is_doubtful());
    }

    #[tokio::test]
    async fn nothing_is_claimed_ahead_of_slow_requests() {
        let slots = Slots::new(32);
        let mut since = slots.since_now();
        slots.slot(slots.take().await.unwrap()).free();
        since.at = since.at.checked_sub(SOON * 2).unwrap();
        assert_eq!(since.ahead(), 0);
        assert!(since.is_doubtful());
    }

    #[tokio::test]
    async fn all_free_slots_are_taken_at_once() {
        let slots = Slots::new(MANY);
        let busy = slots.take().await.unwrap();
        let mut taken = slots.take().await.unwrap();
        slots.take_more(&mut taken, Some(Duration::from_millis(1))).await;
        assert_eq!(taken.num_permits(), MANY - 1);
        drop(busy);
        slots.take_more(&mut taken, None).await;
        assert_eq!(taken.num_permits(), MANY);
    }
}
