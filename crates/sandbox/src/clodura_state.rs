//! What Clodura knows about its customer.

use std::sync::Arc;

use tokio::{sync::oneshot, time::Instant};

use crate::{
    account::CloduraAccount,
    chance::Chance,
    clock,
    config::{CloduraConfig, Plan},
    expected::SOURCES,
    limits::Limiter,
};

/// What Clodura knows about its customer.
#[derive(Debug)]
pub(crate) struct CloduraState {
    pub(crate) account: CloduraAccount,
    pub(crate) limiter: Limiter,
    pub(crate) jobs: Vec<Job>,
    /// The beginning of each tracking id: the time and the run of the sandbox, so that no two runs use the same id.
    pub(crate) run: String,
}

impl CloduraState {
    pub(crate) fn new(config: &CloduraConfig, now: Instant) -> Self {
        let time = clock::since_epoch();
        let run = Chance::new(u64::from(std::process::id()), "run")
            .nth(time.as_nanos() as u64)
            .bits() as u32;
        Self {
            account: CloduraAccount::new(config),
            limiter: Limiter::new(now),
            jobs: Vec::new(),
            run: format!("{:08x}{run:08x}", time.as_secs()),
        }
    }

    pub(crate) fn tracking_id(&self, index: usize) -> String {
        format!("{}{index:08x}", self.run)
    }

    pub(crate) fn index(&self, tracking_id: &str) -> Option<usize> {
        let digits = tracking_id.strip_prefix(&self.run)?;
        usize::from_str_radix(digits, 16).ok().filter(|&index| index < self.jobs.len())
    }
}

/// One accepted request. The result isn't stored: it follows from the person and the findings.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) person_id: Arc<str>,
    pub(crate) plan: Plan,
    pub(crate) via_partners: bool,
    pub(crate) accepted_at: Instant,
    pub(crate) findings: Option<Findings>,
}

/// A job whose result is being made.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) index: usize,
    pub(crate) url: Option<Arc<str>>,
    pub(crate) early: Option<oneshot::Sender<()>>,
}

/// How a search through the sources ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Findings {
    /// How many sources were asked, from the first.
    pub(crate) asked: usize,
    /// How many sources there are to ask.
    pub(crate) sources: usize,
    /// Whether the last source asked had a number.
    pub(crate) found: bool,
    pub(crate) plan: Plan,
}

impl Findings {
    pub(crate) fn is_found(&self) -> bool {
        self.found
    }

    /// Whether all sources were asked and none had a number.
    pub(crate) fn is_nothing(&self) -> bool {
        !self.found && self.asked == self.sources
    }

    /// What the find costs where finds differ in price; `None` without a find.
    pub(crate) fn price(&self) -> Option<u64> {
        self.found.then(|| SOURCES[self.asked - 1].1)
    }
}
