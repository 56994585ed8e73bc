//! Jobs that wait for the writing connection: urgent ones first, then all others in the order in which they came.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use crate::sqlite::writer::job::Job;

pub(super) struct Queue {
    arriving: Receiver<Box<dyn Job>>,
    urgent: VecDeque<Box<dyn Job>>,
    others: VecDeque<Box<dyn Job>>,
}

impl Queue {
    pub(super) fn of(arriving: Receiver<Box<dyn Job>>) -> Self {
        Queue { arriving, urgent: VecDeque::new(), others: VecDeque::new() }
    }

    /// What is next of all that has arrived.
    pub(super) fn next(&mut self) -> Option<Box<dyn Job>> {
        while let Ok(job) = self.arriving.try_recv() {
            let line = if job.is_urgent() { &mut self.urgent } else { &mut self.others };
            line.push_back(job);
        }
        self.urgent.pop_front().or_else(|| self.others.pop_front())
    }

    /// The same; waits for it where nothing has arrived.
    pub(super) fn wait(&mut self, time: Duration) -> Result<Box<dyn Job>, RecvTimeoutError> {
        self.next().map_or_else(|| self.arriving.recv_timeout(time), Ok)
    }

    /// Puts back what came from `next`.
    pub(super) fn put_back(&mut self, job: Box<dyn Job>) {
        let line = if job.is_urgent() { &mut self.urgent } else { &mut self.others };
        line.push_front(job);
    }
}
