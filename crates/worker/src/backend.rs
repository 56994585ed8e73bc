//! The bridge between apalis and the ledger: apalis runs the work, the ledger decides what there is.
//!
//! A [`Source`] claims from the ledger as many tasks as there are free slots, never more, so that no claimed task
//! waits in a buffer. A slot travels with its task. It is free when the task ends, or when only the answer is left to
//! be written down.

use std::convert::Infallible;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::task::Task;
use apalis_core::worker::context::WorkerContext;
use jobs::backoff::exponential;
use jobs::{Clock, Timestamp};
use store::{StoreError, Subscription};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::supervise::Supervisor;

/// How long a source that has nothing to do is left alone, unless a change wakes it.
const SLOW_POLL: Duration = Duration::from_secs(5);
/// How long a source ignores changes after a claim that brought nothing.
const QUIET: Duration = Duration::from_millis(10);
/// How long a source with more work than slots waits for more free slots: one claim for many tasks is cheaper.
const GATHER: Duration = Duration::from_millis(3);
/// A source with at least this many slots waits for more of them: the work in each is small, and claiming it costs
/// about as much.
const MANY: usize = 8;

/// A claimed task, with the slot that it takes up.
#[derive(Clone)]
pub struct Job<T> {
    /// The work.
    pub work: T,
    /// apalis wants its tasks to be `Clone`; the slot is free when the last clone is gone, if not before.
    slot: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
    /// While it exists, the process has something to finish.
    _unfinished: TaskTrackerToken,
}

impl<T> Job<T> {
    /// Frees the slot for another task: the rest of this task needs none.
    pub fn free_slot(&self) {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// The result of a claim.
pub struct Claimed<T> {
    /// Tasks to be done now.
    pub work: Vec<T>,
    /// When there may be more tasks, if no change comes before.
    pub again_at: Option<Timestamp>,
    /// `again_at` follows from the rate limit: no change can bring it nearer.
    pub paced: bool,
}

/// Where the tasks of one kind of work come from.
pub trait Source: Send + 'static {
    /// The task.
    type Work: Send + 'static;

    /// Claims at most `free` tasks.
    fn claim(
        &mut self,
        free: usize,
    ) -> impl Future<Output = Result<Claimed<Self::Work>, StoreError>> + Send;
}

/// An apalis backend that hands out what a source claimed.
pub struct ClaimedQueue<T>(Arc<Mutex<mpsc::UnboundedReceiver<Job<T>>>>);

impl<T> Clone for ClaimedQueue<T> {
    fn clone(&self) -> Self {
        ClaimedQueue(Arc::clone(&self.0))
    }
}

impl<T> ClaimedQueue<T> {
    /// Takes the tasks that were claimed and not begun when the workers stopped.
    pub fn left_over(&self) -> Vec<T> {
        let mut receiver = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| receiver.try_recv().ok()).map(|job| job.work).collect()
    }
}

impl<T: Send + 'static> Backend for ClaimedQueue<T> {
    type Task = Task<Job<T>>;
    type Error = Infallible;

    fn poll_ready(
        &mut self,
        _: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, Infallible>>> {
        let mut receiver = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        receiver.poll_recv(cx).map(|job| job.map(|job| Ok(Task::new(job))))
    }

    /// An apalis worker that its Monitor restarts must find the channel open. Tasks left in it at the end are given
    /// back by [`ClaimedQueue::left_over`].
    fn poll_close(
        &mut self,
        _: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
}

impl<T: Send + 'static> BackendConfig for ClaimedQueue<T> {
    type Args = Job<T>;
    type Id = u64;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = tower_layer::Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> tower_layer::Identity {
        tower_layer::Identity::new()
    }
}

/// What a claimer needs besides its source.
pub struct Claimer {
    /// For logs: the kind of work.
    pub name: &'static str,
    /// How many tasks may run at once.
    pub slots: Arc<Semaphore>,
    /// The number of all slots.
    pub all: usize,
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

impl Claimer {
    /// Starts claiming; the backend hands out the claimed tasks.
    pub fn start<S: Source>(
        self,
        source: S,
    ) -> (ClaimedQueue<S::Work>, tokio::task::JoinHandle<()>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let (name, supervisor) = (self.name, self.supervisor.clone());
        let task = supervisor.spawn(name, self.run(source, sender));
        (ClaimedQueue(Arc::new(Mutex::new(receiver))), task)
    }

    /// Claims until it is stopped. Waits here while the database is unavailable: an error that reached apalis would
    /// cancel the tasks in flight.
    async fn run<S: Source>(mut self, mut source: S, sender: mpsc::UnboundedSender<Job<S::Work>>) {
        let (mut failures, mut saturated) = (0, false);
        while let Some(mut slots) = self.free_slots(saturated).await {
            match source.claim(slots.num_permits()).await {
                Ok(claimed) => {
                    failures = 0;
                    saturated = claimed.work.len() >= slots.num_permits();
                    let none = claimed.work.is_empty();
                    for work in claimed.work {
                        let Some(slot) = slots.split(1) else { break };
                        let slot = Arc::new(Mutex::new(Some(slot)));
                        let _unfinished = self.unfinished.token();
                        // Fails only once no apalis worker is left; the process is ending then.
                        let _ = sender.send(Job { work, slot, _unfinished });
                    }
                    drop(slots);
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

    /// Waits for a free slot and takes all slots that are free. A source with more work than slots waits a moment for
    /// the other slots, too. Returns `None` when it is time to stop.
    async fn free_slots(&self, saturated: bool) -> Option<OwnedSemaphorePermit> {
        let first = tokio::select! {
            biased;
            () = self.stopping.cancelled() => return None,
            slot = Arc::clone(&self.slots).acquire_owned() => slot.ok()?,
        };
        let mut slots = first;
        let others = u32::try_from(self.all).unwrap_or(u32::MAX).saturating_sub(1);
        if saturated && self.all >= MANY {
            let more = Arc::clone(&self.slots).acquire_many_owned(others);
            if let Ok(Ok(more)) = tokio::time::timeout(GATHER, more).await {
                slots.merge(more);
            }
        }
        let others = u32::try_from(self.slots.available_permits()).unwrap_or(u32::MAX);
        if let Ok(more) = Arc::clone(&self.slots).try_acquire_many_owned(others) {
            slots.merge(more);
        }
        Some(slots)
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
