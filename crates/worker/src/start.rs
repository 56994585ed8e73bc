//! From the command line to a running worker, and its orderly end.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use ::jobs::{Clock, Provider, WorkerId};
use anyhow::Context;
use providers::{Signer, clodura, ocean};
use sandbox::Sandbox;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use store::{NewWorker, Price, ProviderSetup, Stamp, Store, StoreError};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::app::{App, Inner, Limits};
use crate::config::Config;
use crate::idle::{self, Idle};
use crate::jobs::housekeeping;
use crate::runner::Runner;
use crate::spool::Spool;
use crate::webhooks::Webhooks;
use crate::{admin, server, webhooks};

/// How a worker ended that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It was told to, or everything is finished.
    Done,
    /// All that is left waits for what waiting alone can't end.
    Stuck(Vec<String>),
}

/// Why a worker could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The command line or environment contradicts itself or the database; exit code 2.
    #[error("{0}")]
    Usage(String),
    /// Something failed; exit code 1.
    #[error("{0:#}")]
    Failed(#[from] anyhow::Error),
}

impl StartError {
    /// The contract's exit code.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            StartError::Usage(_) => ExitCode::from(2),
            StartError::Failed(_) => ExitCode::from(1),
        }
    }
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Stamp { .. } | StoreError::Url { .. } => {
                StartError::Usage(error.to_string())
            }
            error => StartError::Failed(error.into()),
        }
    }
}

/// Runs a worker to its end.
///
/// # Errors
/// It could not start.
pub async fn run(config: Config) -> Result<Ended, StartError> {
    let store = Store::connect(config.database(), !config.no_migrate, Clock::system()).await?;
    store.stamp(if config.sandbox { Stamp::Sandbox } else { Stamp::Live }).await?;
    let listener = if config.role.receives() {
        Some(bind(config.listen_addr, "LISTEN_ADDR").await?)
    } else {
        None
    };
    let admin_listener = bind(config.admin_addr, "ADMIN_ADDR").await?;
    let sandbox = start_sandbox(&config).await?;
    let app = assemble(&config, store, sandbox.as_ref(), listener.as_ref()).await?;
    announce(&app, &config, listener.as_ref(), &admin_listener);

    let spool = Spool::new(config.spool_dir.clone());
    let stop_serving = CancellationToken::new();
    let receiving = listener.map(|listener| {
        let router = webhooks::router(Webhooks { app: app.clone(), spool: spool.clone() });
        tokio::spawn(server::serve(listener, router, stop_serving.clone()))
    });
    let serving = tokio::spawn(server::serve(
        admin_listener,
        admin::router(app.clone()),
        stop_serving.clone(),
    ));
    let draining = tokio::spawn(spool.drain_forever(app.store.clone()));
    let beating = tokio::spawn(housekeeping::heartbeats(app.clone()));

    let ended = work(&app, &config).await;
    stop_serving.cancel();
    for server in receiving.into_iter().chain([serving]) {
        let _ = server.await;
    }
    draining.abort();
    beating.abort();
    if let Err(error) = app.store.worker_stopped(app.worker).await {
        tracing::warn!(%error, "the ledger doesn't know that this worker has stopped");
    }
    if let Some(sandbox) = sandbox {
        sandbox.shutdown().await;
    }
    tracing::info!("stopped");
    Ok(ended)
}

/// Works, or only receives, until told to stop or until idle.
async fn work(app: &App, config: &Config) -> Ended {
    let runner = config.role.works().then(|| Runner::new(app));
    let app = app.clone();
    let until_idle = config.until_idle;
    let ending = async {
        let stuck = tokio::select! {
            () = stop_signal() => None,
            idle = idle::wait(&app), if until_idle => match idle {
                Idle::Finished => None,
                Idle::Stuck(why) => Some(why),
            },
        };
        tracing::info!("stopping: nothing new is taken");
        app.stopping.cancel();
        stuck
    };
    let stuck = match runner {
        Some(runner) => tokio::join!(runner.run(config.shutdown_timeout), ending).1,
        None => ending.await,
    };
    stuck.map_or(Ended::Done, Ended::Stuck)
}

async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let wait = |kind| async move {
        match signal(kind) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(error) => {
                tracing::error!(%error, "a signal can't be listened for");
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = wait(SignalKind::terminate()) => {}
        () = wait(SignalKind::interrupt()) => {}
    }
}

async fn bind(addr: SocketAddr, name: &str) -> Result<TcpListener, StartError> {
    Ok(TcpListener::bind(addr).await.with_context(|| {
        format!("can't listen on {addr}; set {name} to a free address, or stop what uses it")
    })?)
}

async fn start_sandbox(config: &Config) -> Result<Option<Sandbox>, StartError> {
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

/// Keys, clients and settings; in the sandbox's place the made-up ones.
async fn assemble(
    config: &Config,
    store: Store,
    sandbox: Option<&Sandbox>,
    listener: Option<&TcpListener>,
) -> Result<App, StartError> {
    let http = providers::http::client(config.request_timeout).context("no HTTP client")?;
    let made_up = sandbox.map(|_| SecretString::from("sandbox"));
    let base = sandbox
        .map(|s| s.base_url().parse::<Url>())
        .transpose()
        .context("the sandbox's address")?;
    let public_url = match (&config.webhook_public_url, base.as_ref().and(listener)) {
        (_, Some(listener)) => Some(own_url(listener)?),
        (url, None) => url.clone(),
    };
    let token = made_up.clone().or_else(|| key(config.ocean_api_token.as_ref()));
    let ocean = token
        .clone()
        .map(|token| {
            ocean::Client::new(
                base.clone().unwrap_or(config.ocean_base_url.clone()),
                token,
                http.clone(),
            )
        })
        .transpose()
        .map_err(|error| StartError::Usage(format!("Ocean: {error}")))?;
    let api_key = made_up.or_else(|| key(config.clodura_api_key.as_ref()));
    let clodura = api_key
        .clone()
        .map(|key| clodura::Client::new(base.unwrap_or(config.clodura_base_url.clone()), key, http))
        .transpose()
        .map_err(|error| StartError::Usage(format!("Clodura: {error}")))?;
    let secrets: Vec<SecretString> =
        store.webhook_secrets().await?.into_iter().map(SecretString::from).collect();
    let (newest, older) = secrets.split_first().context("the database has no webhook secret")?;
    let signer = Signer::new(newest, older).context("the webhook secret can't be used")?;
    let app = App::new(Inner {
        worker: WorkerId::generate(),
        store,
        policy: config.policy(),
        ocean,
        clodura,
        limits: limits(config),
        signer,
        public_url,
        stopping: CancellationToken::new(),
    });
    app.store
        .register_worker(introduction(&app, config, token.as_ref(), api_key.as_ref()), &app.policy)
        .await?;
    Ok(app)
}

/// An empty variable is no key.
fn key(secret: Option<&SecretString>) -> Option<SecretString> {
    secret.filter(|secret| !secret.expose_secret().trim().is_empty()).cloned()
}

fn own_url(listener: &TcpListener) -> Result<Url, StartError> {
    let addr = listener.local_addr().context("the listener has no address")?;
    Ok(format!("http://{addr}").parse::<Url>().context("the listener's address")?)
}

fn limits(config: &Config) -> Limits {
    Limits {
        ocean_rate: config.ocean_rate,
        clodura_rate: config.clodura_rate,
        ocean_in_flight: usize::from(config.ocean_max_in_flight),
        clodura_in_flight: usize::from(config.clodura_max_in_flight),
        ocean_people: usize::from(config.ocean_batch_size),
        ocean_price: Price::Fixed(config.ocean_credits_per_person),
        clodura_price: config.clodura_credits_per_person.0,
        canary: config.webhook_canary,
        clodura_partners: config.clodura_partners,
    }
}

fn introduction(
    app: &App,
    config: &Config,
    token: Option<&SecretString>,
    api_key: Option<&SecretString>,
) -> NewWorker {
    let webhook_url = app.public_url.as_ref().map(|url| fingerprint(url.as_str()));
    let setup = |provider, key: Option<&SecretString>| ProviderSetup {
        provider,
        key_fingerprint: key.map(|key| fingerprint(key.expose_secret())),
        webhook_url: webhook_url.clone(),
        needs_webhook: provider == Provider::Ocean,
        rate: app.rate(provider),
    };
    NewWorker {
        id: app.worker,
        host: host(),
        pid: std::process::id(),
        role: config.role.as_str().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        providers: vec![setup(Provider::Ocean, token), setup(Provider::Clodura, api_key)],
    }
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "unknown".into(), |name| name.trim().to_owned())
}

/// Tells one key from another without telling the key.
fn fingerprint(text: &str) -> String {
    let digest = Sha256::digest(format!("reveal-queue fingerprint\n{text}"));
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
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
