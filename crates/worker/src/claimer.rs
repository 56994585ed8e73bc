//! Claims work while there are slots for it: when something changed, when something becomes due, and at least every few
//! seconds.

use std::time::Duration;

use jobs::backoff::exponential;
use jobs::{Clock, Timestamp};
use store::Subscription;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backend::{Ahead, ClaimedQueue, Job, Source};
use crate::slots::{Since, Slots};
use crate::supervise::Supervisor;

/// How long a source that has nothing to do is left alone, unless a change wakes it.
const SLOW_POLL: Duration = Duration::from_secs(5);
/// How long a source ignores changes after a claim that brought nothing.
const QUIET: Duration = Duration::from_millis(10);
/// How long a source with more work than slots waits for more free slots: one claim for many tasks is cheaper.
const GATHER: Duration = Duration::from_millis(3);

/// What a claimer needs besides its source.
pub struct Claimer {
    /// For logs: the kind of work.
    pub name: &'static str,
    /// How many tasks may run at once.
    pub slots: Slots,
    /// Tasks that are not finished.
    pub unfinished: TaskTracker,
    /// Wakes the claimer early.
    pub changes: Subscription,
    /// The ledger's clock.
    pub clock: Clock,
    /// Watches the claimer's task.
    pub supervisor: Supervisor,
    /// Stops the claimer.
    pub stopping: CancellationToken,
}

/// Where claimed tasks go.
struct Tasks<T> {
    /// Those with a slot.
    begun: mpsc::UnboundedSender<Job<T>>,
    /// Those without one.
    ahead: Ahead<T>,
}

impl Claimer {
    /// Starts claiming; the backend hands out the claimed tasks.
    pub fn start<S: Source>(
        self,
        source: S,
    ) -> (ClaimedQueue<S::Work>, tokio::task::JoinHandle<()>) {
        let (begun, receiver) = mpsc::unbounded_channel();
        let ahead = Ahead::default();
        let queue = ClaimedQueue::new(receiver, ahead.clone());
        let (name, supervisor) = (self.name, self.supervisor.clone());
        (queue, supervisor.spawn(name, self.run(source, Tasks { begun, ahead })))
    }

    /// Claims until it is stopped. Waits here while the database is unavailable: an error that reached apalis would
    /// cancel the tasks in flight.
    async fn run<S: Source>(mut self, mut source: S, tasks: Tasks<S::Work>) {
        let (mut failures, mut saturated) = (0, false);
        let mut since = self.slots.since_now();
        while let Some(slots) = self.free_slots(&tasks, &since, saturated).await {
            let ahead = if saturated && S::CLAIMS_AHEAD { since.ahead() } else { 0 };
            since = self.slots.since_now();
            let most = slots.num_permits() + ahead;
            match source.claim(most).await {
                Ok(claimed) => {
                    failures = 0;
                    saturated = claimed.work.len() >= most;
                    let none = claimed.work.is_empty();
                    self.begin(&tasks, slots, claimed.work);
                    if !saturated {
                        self.rest(claimed.again_at, claimed.paced, none).await;
                    }
                }
                Err(error) => {
                    drop(slots);
                    tracing::warn!(job = self.name, %error, "can't claim work; trying again");
                    let wait = exponential(Duration::from_millis(100), SLOW_POLL, failures);
                    failures += 1;
                    self.sleep(wait).await;
                }
            }
        }
    }

    /// Hands out as many tasks as there are slots, and keeps the others.
    fn begin<T>(&self, tasks: &Tasks<T>, mut slots: OwnedSemaphorePermit, work: Vec<T>) {
        let mut work = work.into_iter();
        while slots.num_permits() > 0
            && let Some(work) = work.next()
            && let Some(slot) = slots.split(1)
        {
            self.hand_out(tasks, work, slot, false);
        }
        tasks.ahead.keep(work);
    }

    fn hand_out<T>(&self, tasks: &Tasks<T>, work: T, slot: OwnedSemaphorePermit, doubtful: bool) {
        let job = Job::new(work, self.slots.slot(slot), self.unfinished.token(), doubtful);
        // Fails only once no apalis worker is left; the process is ending then.
        let _ = tasks.begun.send(job);
    }

    /// Gives slots to the tasks that were claimed ahead `since` then. Then waits for a free slot and takes all slots that are
    /// free. A source with more work than slots waits a moment for the other slots, too. Returns `None` when it is time to
    /// stop.
    async fn free_slots<T>(
        &self,
        tasks: &Tasks<T>,
        since: &Since,
        saturated: bool,
    ) -> Option<OwnedSemaphorePermit> {
        while !tasks.ahead.is_empty() {
            let slot = self.slot().await?;
            if let Some(work) = tasks.ahead.next() {
                self.hand_out(tasks, work, slot, since.is_doubtful());
            }
        }
        let mut slots = self.slot().await?;
        self.slots.take_more(&mut slots, saturated.then_some(GATHER)).await;
        Some(slots)
    }

    /// Waits for a free slot. Returns `None` when it is time to stop.
    async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        tokio::select! {
            biased;
            () = self.stopping.cancelled() => None,
            slot = self.slots.take() => slot,
        }
    }

    async fn rest(&mut self, again_at: Option<Timestamp>, paced: bool, none: bool) {
        let until = again_at.map_or(SLOW_POLL, |at| at.since(self.clock.now()).min(SLOW_POLL));
        if paced {
            return self.sleep(until).await;
        }
        if none {
            self.sleep(QUIET.min(until)).await;
        }
        tokio::select! {
            biased;
            () = self.stopping.cancelled() => {}
            () = self.changes.changed() => {}
            () = tokio::time::sleep(until) => {}
        }
    }

    async fn sleep(&self, time: Duration) {
        tokio::select! {
            () = self.stopping.cancelled() => {}
            () = tokio::time::sleep(time) => {}
        }
    }
}
