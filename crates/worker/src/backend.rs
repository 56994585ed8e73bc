//! The bridge between apalis and the ledger: apalis runs the work, the ledger decides what there is.
//!
//! A [`Source`] claims tasks from the ledger. A slot travels with each task that apalis gets. It is free when the task ends, or
//! when only the answer is left to be written down.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::task::Task;
use apalis_core::worker::context::WorkerContext;
use jobs::Timestamp;
use store::StoreError;
use tokio::sync::mpsc;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::slots::Slot;

/// A claimed task, with the slot that it takes up.
#[derive(Clone)]
pub struct Job<T> {
    /// The work.
    pub work: T,
    /// Whether the gate may have closed since the task was claimed.
    pub is_doubtful: bool,
    /// apalis wants its tasks to be `Clone`; the slot is free when the last clone is gone, if not before.
    slot: Arc<Mutex<Option<Slot>>>,
    /// While it exists, the process has something to finish.
    _unfinished: TaskTrackerToken,
}

impl<T> Job<T> {
    pub(crate) fn new(
        work: T,
        slot: Slot,
        unfinished: TaskTrackerToken,
        is_doubtful: bool,
    ) -> Self {
        let slot = Arc::new(Mutex::new(Some(slot)));
        Job { work, is_doubtful, slot, _unfinished: unfinished }
    }

    /// Frees the slot for another task: this one went well, and the rest of it needs none.
    pub fn free_slot(&self) {
        if let Some(slot) = self.slot.lock().unwrap_or_else(PoisonError::into_inner).take() {
            slot.free();
        }
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

    /// Whether tasks are claimed before there are slots for them, as soon as slots are freed faster than tasks are claimed.
    /// Such a task must look whether it may still begin if it [is doubtful](Job::is_doubtful).
    const CLAIMS_AHEAD: bool = false;

    /// Claims at most this many tasks.
    fn claim(
        &mut self,
        most: usize,
    ) -> impl Future<Output = Result<Claimed<Self::Work>, StoreError>> + Send;
}

/// An apalis backend that hands out what a source claimed.
pub struct ClaimedQueue<T> {
    begun: Arc<Mutex<mpsc::UnboundedReceiver<Job<T>>>>,
    ahead: Ahead<T>,
}

impl<T> Clone for ClaimedQueue<T> {
    fn clone(&self) -> Self {
        ClaimedQueue { begun: Arc::clone(&self.begun), ahead: self.ahead.clone() }
    }
}

impl<T> ClaimedQueue<T> {
    pub(crate) fn new(receiver: mpsc::UnboundedReceiver<Job<T>>, ahead: Ahead<T>) -> Self {
        ClaimedQueue { begun: Arc::new(Mutex::new(receiver)), ahead }
    }

    /// Takes the tasks that were claimed and not begun when the workers stopped.
    pub fn left_over(&self) -> Vec<T> {
        let mut receiver = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let with_slots = std::iter::from_fn(|| receiver.try_recv().ok()).map(|job| job.work);
        with_slots.chain(std::iter::from_fn(|| self.ahead.next())).collect()
    }
}

/// Tasks that were claimed before there was a slot for them.
pub struct Ahead<T>(Arc<Mutex<VecDeque<T>>>);

impl<T> Clone for Ahead<T> {
    fn clone(&self) -> Self {
        Ahead(Arc::clone(&self.0))
    }
}

impl<T> Default for Ahead<T> {
    fn default() -> Self {
        Ahead(Arc::default())
    }
}

impl<T> Ahead<T> {
    pub(crate) fn keep(&self, work: impl IntoIterator<Item = T>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(work);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub(crate) fn next(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
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
        let mut receiver = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
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
