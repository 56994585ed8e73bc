//! What all requests share.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use crate::{
    Provider, clock, clodura_state,
    config::Config,
    lock::lock,
    ocean_state,
    queue::Queue,
    script::Scripts,
    stats::{Audit, Stats},
};

/// The state of both providers. Locks are taken one at a time and never across a wait.
pub(crate) struct SandboxState {
    config: RwLock<Arc<Config>>,
    ocean: Mutex<ocean_state::OceanState>,
    clodura: Mutex<clodura_state::CloduraState>,
    audit: Mutex<Audit>,
    scripts: Mutex<Scripts>,
    series: [AtomicU64; 2],
    pub(crate) queue: Queue,
    pub(crate) client: reqwest::Client,
}

impl SandboxState {
    pub(crate) fn new(config: Config, client: reqwest::Client) -> Self {
        let now = clock::now();
        Self {
            ocean: Mutex::new(ocean_state::OceanState::new(&config.ocean, now)),
            clodura: Mutex::new(clodura_state::CloduraState::new(&config.clodura, now)),
            audit: Mutex::default(),
            scripts: Mutex::default(),
            series: Default::default(),
            queue: Queue::default(),
            client,
            config: RwLock::new(Arc::new(config)),
        }
    }

    pub(crate) fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_config(&self, config: Config) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    pub(crate) fn ocean(&self) -> MutexGuard<'_, ocean_state::OceanState> {
        lock(&self.ocean)
    }

    pub(crate) fn clodura(&self) -> MutexGuard<'_, clodura_state::CloduraState> {
        lock(&self.clodura)
    }

    pub(crate) fn audit(&self) -> MutexGuard<'_, Audit> {
        lock(&self.audit)
    }

    pub(crate) fn scripts(&self) -> MutexGuard<'_, Scripts> {
        lock(&self.scripts)
    }

    /// The place of the next request in its provider's series, for faults.
    pub(crate) fn next_in_series(&self, provider: Provider) -> u64 {
        let [ocean, clodura] = &self.series;
        let series = match provider {
            Provider::Ocean => ocean,
            Provider::Clodura => clodura,
        };
        series.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn top_up(&self, provider: Provider, credits: i64) {
        match provider {
            Provider::Ocean => self.ocean().account.top_up(credits),
            Provider::Clodura => {
                let plan = self.config().clodura.plan;
                self.clodura().account.top_up(plan, credits);
            }
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        let plan = self.config().clodura.plan;
        // Read first: work that ends in between is then counted as still open, never as missing.
        let (pending, held) = (self.queue.open(), self.queue.held());
        let mut stats = self.audit().stats();
        (stats.pending, stats.held) = (pending, held);
        {
            let ocean = self.ocean();
            stats.ocean.credits_left = ocean.account.left();
            stats.ocean.credits_reserved = ocean.account.reserved;
        }
        let clodura = self.clodura();
        stats.clodura.credits_left = clodura.account.left(plan);
        stats.clodura.credits_reserved = clodura.account.reserved;
        stats
    }
}
