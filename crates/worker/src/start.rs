//! From the command line to a running worker, and its orderly end.

use std::time::Duration;

use ::jobs::{Clock, WorkerId};
use anyhow::Context;
use sandbox::Sandbox;
use store::{Stamp, Store};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::bodies::Bodies;
use crate::config::Config;
use crate::error::StartError;
use crate::idle::{self, Idle};
use crate::jobs::housekeeping;
use crate::listen::{self, Inherited};
use crate::otlp::Exports;
use crate::runner::Runner;
use crate::server::Patience;
use crate::spool::Spool;
use crate::webhooks::Webhooks;
use crate::{admin, bootstrap, open_files, server, webhooks};

/// Most connections to the dashboard and the metrics.
const ADMIN_CONNECTIONS: usize = 256;

/// How a worker that did not fail ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It was stopped, or everything is finished.
    Done,
    /// Every row that is left is held by a cause that waiting can't end. A line for each cause.
    Stuck(Vec<String>),
}

/// Runs `worker` to its end.
///
/// # Errors
/// It could not start.
pub async fn run(
    worker: WorkerId,
    config: Config,
    inherited: Inherited,
    exports: Exports,
) -> Result<Ended, StartError> {
    config.check_secrets().map_err(StartError::Usage)?;
    let access = config.admin_tokens().and_then(|t| admin::Access::new(config.admin_addr, t));
    let access = access.map_err(StartError::Usage)?;
    let store = Store::connect(config.database(), !config.no_migrate, Clock::system()).await?;
    let ended = run_on(&store, worker, config, inherited, access, exports).await;
    store.close().await;
    ended
}

async fn run_on(
    store: &Store,
    worker: WorkerId,
    config: Config,
    inherited: Inherited,
    access: admin::Access,
    mut exports: Exports,
) -> Result<Ended, StartError> {
    store.settings().stamp(if config.sandbox { Stamp::Sandbox } else { Stamp::Live }).await?;
    let listener = if config.role.receives() {
        Some(listen::webhooks(inherited, config.listen_addr).await?)
    } else {
        None
    };
    let admin_listener = listen::bind(config.admin_addr, "ADMIN_ADDR").await?;
    let sandbox = start_sandbox(&config).await?;
    let app =
        bootstrap::worker(worker, &config, store.clone(), sandbox.as_ref(), listener.as_ref())
            .await?;
    // Signals are caught before anything says that this process is ready: from then on it may be stopped.
    let stop = StopSignals::listen().context("signals can't be listened for")?;
    announce(&app, &config, listener.as_ref(), &admin_listener);

    let spool = Spool::new(config.spool_dir.clone());
    let stop_serving = CancellationToken::new();
    let receiving = listener.map(|listener| {
        let router = webhooks::router(Webhooks {
            app: app.clone(),
            spool: spool.clone(),
            bodies: Bodies::default(),
        });
        let patience = Patience::with(open_files::for_webhooks());
        let serving = server::serve(listener, router, patience, stop_serving.clone());
        app.supervisor.spawn("webhooks", serving)
    });
    let router = admin::router(app.clone(), access);
    let patience = Patience::with(ADMIN_CONNECTIONS);
    let serving = server::serve(admin_listener, router, patience, stop_serving.clone());
    let serving = app.supervisor.spawn("admin", serving);
    let draining = app.supervisor.spawn("spool", spool.drain_forever(app.store.clone()));
    let counting = app.supervisor.spawn("routine", app.routine().clone().log_forever());
    let beating = app.supervisor.spawn("heartbeats", housekeeping::heartbeats(app.clone()));
    exports.begin(&app);

    listen::say_ready();
    let ended = work(&app, &config, stop).await;
    stop_serving.cancel();
    // The remaining steps have a time limit: the database may be away, and a provider's connection may hang.
    let last = step_at_the_end(config.shutdown_timeout);
    let servers = futures::future::join_all(receiving.into_iter().chain([serving]));
    if tokio::time::timeout(last, servers).await.is_err() {
        tracing::warn!("connections were still open after the shutdown timeout");
    }
    draining.abort();
    beating.abort();
    counting.abort();
    app.routine().log();
    let goodbye = async {
        if let Err(error) = app.store.workers().worker_stopped(app.worker).await {
            tracing::warn!(%error, "the ledger doesn't know that this worker has stopped");
        }
    };
    // Together with the last telemetry, so that an endpoint that is down adds no time.
    let goodbye = tokio::time::timeout(last, goodbye);
    let (noted, ()) = tokio::join!(goodbye, exports.end(&app, last));
    if noted.is_err() {
        tracing::warn!(
            "the ledger doesn't know that this worker has stopped: the database is away"
        );
    }
    if let Some(sandbox) = sandbox {
        sandbox.shutdown().await;
    }
    tracing::info!("stopped");
    if let Some(task) = app.supervisor.failure() {
        let error = anyhow::anyhow!(
            "the task {task} ended by a bug; please report it with the log, and start worker again"
        );
        return Err(error.into());
    }
    Ok(ended)
}

/// Works, or only receives, until it is stopped or idle.
async fn work(app: &App, config: &Config, mut stop: StopSignals) -> Ended {
    let runner = config.role.works().then(|| Runner::new(app));
    let app = app.clone();
    let until_idle = config.until_idle;
    let ending = async {
        let stuck = tokio::select! {
            () = stop.received() => None,
            () = app.supervisor.failed() => None,
            idle = idle::wait(&app), if until_idle => match idle {
                Idle::Finished => None,
                Idle::Stuck(why) => Some(why),
            },
        };
        tracing::info!("stopping: nothing new is taken");
        app.stopping.cancel();
        listen::say_stopping();
        stuck
    };
    let stuck = match runner {
        Some(runner) => {
            let (timeout, step) =
                (config.shutdown_timeout, step_at_the_end(config.shutdown_timeout));
            // On the runtime's own threads: from there, handing out a task wakes no other thread.
            let work = runner.run(timeout.saturating_sub(6 * step), step);
            tokio::join!(app.supervisor.spawn("work", work), ending).1
        }
        None => ending.await,
    };
    stuck.map_or(Ended::Done, Ended::Stuck)
}

/// How long each step after the work may take: giving back, closing connections, notifying the ledger, closing it,
/// ending threads. The shutdown timeout reserves the time of six steps.
fn step_at_the_end(timeout: Duration) -> Duration {
    (timeout / 10).min(Duration::from_secs(1))
}

/// SIGTERM and SIGINT, from the moment that this value is made.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn listen() -> std::io::Result<Self> {
        let (terminate, interrupt) = (SignalKind::terminate(), SignalKind::interrupt());
        Ok(StopSignals { terminate: signal(terminate)?, interrupt: signal(interrupt)? })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// The bundled stand-in for both providers, if it was asked for.
pub(crate) async fn start_sandbox(config: &Config) -> Result<Option<Sandbox>, StartError> {
    if !config.sandbox {
        return Ok(None);
    }
    let mut setup = sandbox::Config::default();
    if let Some(path) = &config.sandbox_config {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("can't read {}", path.display()))?;
        let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| {
            StartError::Usage(format!("{} is no JSON: {error}", path.display()))
        })?;
        setup = setup
            .merged(&value)
            .map_err(|error| StartError::Usage(format!("{}: {error}", path.display())))?;
    }
    Ok(Some(Sandbox::start(setup).await.context("the sandbox can't start")?))
}

fn announce(app: &App, config: &Config, listener: Option<&TcpListener>, admin: &TcpListener) {
    let addr = |listener: &TcpListener| {
        listener.local_addr().map_or_else(|_| "?".into(), |a| a.to_string())
    };
    tracing::info!(
        worker = %app.worker,
        role = config.role.as_str(),
        webhooks = listener.map(addr),
        admin = addr(admin),
        sandbox = config.sandbox,
        "ready",
    );
    if !config.role.works() {
        return;
    }
    for (name, url) in config.readable_on_the_way() {
        tracing::warn!(%url, "{name} is not https: the key and every request can be read on the way");
    }
    if app.ocean.is_none() {
        tracing::warn!("Ocean is off: OCEAN_API_TOKEN is not set; rows that need it are held");
    } else if app.public_url.is_none() {
        tracing::warn!(
            "Ocean is off: WEBHOOK_PUBLIC_URL is not set, and Ocean answers by webhook only; its rows are held"
        );
    }
    if app.clodura.is_none() {
        tracing::warn!("Clodura is off: CLODURA_API_KEY is not set; rows that need it are held");
    } else if app.public_url.is_none() {
        tracing::warn!(
            "WEBHOOK_PUBLIC_URL is not set: Clodura is asked without partners, and polled"
        );
    }
}

/// How long a process may take to end after everything is done.
pub const LAST_PATIENCE: Duration = Duration::from_secs(2);
