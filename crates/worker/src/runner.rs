//! The registration list: every kind of work there is, one apalis worker a kind and provider, so that
//! one provider's trouble doesn't hold up the other.

use std::time::Duration;

use apalis::prelude::{Monitor, WorkerBuilder, WorkerBuilderExt};
use apalis_core::worker::ext::parallelize::ParallelizeExt;
use jobs::Provider;
use store::{ClaimedCall, Topic};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::backend::{ClaimedQueue, Source};
use crate::claimer::Claimer;
use crate::jobs::{
    apply_webhooks, check_balance, housekeeping, retention, reveal_clodura, reveal_ocean,
    send_call, track_clodura,
};
use crate::slots::Slots;

/// How often an apalis worker that fails is started again; the ledger decides what becomes of its task.
const MOST_RESTARTS: usize = 1_000;

/// Tasks of a kind that run at once, for each slot: while one has the slot, others may write down their answers.
const AT_ONCE_PER_SLOT: usize = 8;

/// All work of this process.
pub struct Runner {
    app: App,
    tasks: Vec<JoinHandle<()>>,
    unfinished: TaskTracker,
    reveals: Vec<ClaimedQueue<ClaimedCall>>,
    monitor: Monitor,
}

/// Registers a job: its name, where its work comes from, how much of it at once, and its handler.
macro_rules! register {
    ($runner:ident, $name:literal, $source:expr, $slots:expr, $topic:expr, $handler:path) => {{
        let backend = $runner.start_claimer($name, $source, $slots, $topic);
        let (app, leased, slots) = ($runner.app.clone(), backend.clone(), $slots);
        $runner.monitor = $runner.monitor.register(move |restarts| {
            WorkerBuilder::new(format!("{}-{}-{restarts}", $name, app.worker))
                .backend(leased.clone())
                .concurrency(slots * AT_ONCE_PER_SLOT)
                .data(app.clone())
                .parallelize(tokio::spawn)
                .build($handler)
        });
        backend
    }};
}

impl Runner {
    /// Registers every kind of work.
    #[must_use]
    pub fn new(app: &App) -> Self {
        let monitor = Monitor::new()
            .shutdown_timeout(Duration::from_secs(1))
            .should_restart(|worker, _| worker.restarts() < MOST_RESTARTS);
        let mut runner = Runner {
            app: app.clone(),
            tasks: Vec::new(),
            unfinished: TaskTracker::new(),
            reveals: Vec::new(),
            monitor,
        };
        // This process never claims work for which it lacks a key or a webhook URL; other processes may.
        if app.ocean.is_some() {
            runner = runner.register_ocean(app);
        }
        if app.clodura.is_some() {
            runner = runner.register_clodura(app);
        }

        let source = apply_webhooks::PendingWebhooks(app.clone());
        register!(runner, "apply-webhooks", source, 1, Topic::Inbox, apply_webhooks::handle);

        runner.tasks.push(app.supervisor.spawn("sweeps", housekeeping::sweeps(app.clone())));
        runner.tasks.push(app.supervisor.spawn("retention", retention::retire(app.clone())));
        runner
    }

    fn register_ocean(self, app: &App) -> Runner {
        let (mut runner, provider, limits) = (self, Provider::Ocean, &app.limits);
        // Ocean answers by webhook only.
        if app.public_url.is_some() {
            let source = send_call::DueReveals {
                app: app.clone(),
                provider,
                people: limits.ocean_people,
                canary: limits.canary,
            };
            let calls = register!(
                runner,
                "reveal-ocean",
                source,
                limits.ocean_in_flight,
                Topic::Queue,
                reveal_ocean::handle
            );
            runner.reveals.push(calls);
        }
        let source = check_balance::DueBalance { app: app.clone(), provider };
        register!(runner, "balance-ocean", source, 1, Topic::Queue, check_balance::handle);
        runner
    }

    fn register_clodura(self, app: &App) -> Runner {
        let (mut runner, provider, limits) = (self, Provider::Clodura, &app.limits);
        let source = send_call::DueReveals { app: app.clone(), provider, people: 1, canary: 0 };
        let calls = register!(
            runner,
            "reveal-clodura",
            source,
            limits.clodura_in_flight,
            Topic::Queue,
            reveal_clodura::handle
        );
        runner.reveals.push(calls);

        let source = track_clodura::LateResults(app.clone());
        register!(
            runner,
            "track-clodura",
            source,
            limits.clodura_in_flight,
            Topic::Polls,
            track_clodura::handle
        );

        let source = check_balance::DueBalance { app: app.clone(), provider };
        register!(runner, "balance-clodura", source, 1, Topic::Queue, check_balance::handle);
        runner
    }

    fn start_claimer<S: Source>(
        &mut self,
        name: &'static str,
        source: S,
        slots: usize,
        topic: Topic,
    ) -> ClaimedQueue<S::Work> {
        let claimer = Claimer {
            name,
            slots: Slots::new(slots),
            unfinished: self.unfinished.clone(),
            changes: self.app.store.subscribe(topic),
            clock: self.app.store.clock(),
            supervisor: self.app.supervisor.clone(),
            stopping: self.app.stopping.clone(),
        };
        let (backend, handle) = claimer.start(source);
        self.tasks.push(handle);
        backend
    }

    /// Works until the application is stopped. Then finishes the work in flight, for at most `patience`, and
    /// gives back what was claimed and not begun, for at most `at_the_end`.
    pub async fn run(self, patience: Duration, at_the_end: Duration) {
        let Runner { app, tasks, unfinished, reveals, monitor } = self;
        let stopping = app.stopping.clone();
        let finished = async move {
            stopping.cancelled().await;
            let quiet = async {
                futures::future::join_all(tasks).await;
                unfinished.close();
                unfinished.wait().await;
            };
            if tokio::time::timeout(patience, quiet).await.is_err() {
                tracing::warn!(
                    "requests are still in flight after the shutdown timeout; their outcome is unknown"
                );
            }
            Ok(())
        };
        if let Err(error) = monitor.run_with_signal(finished).await {
            tracing::warn!(%error, "a worker ended with an error");
        }
        let left = reveals.iter().flat_map(ClaimedQueue::left_over);
        let give_back =
            left.map(|call| send_call::give_back(&app, call, "stopped before it was sent"));
        if tokio::time::timeout(at_the_end, futures::future::join_all(give_back)).await.is_err() {
            tracing::warn!(
                "requests that were not sent could not be given back: the database is away"
            );
        }
    }
}
