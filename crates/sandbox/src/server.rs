//! The sandbox as a handle: start it, steer it, look into it, stop it.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, State},
    http::{HeaderMap, StatusCode, Uri},
    routing::{MethodFilter, MethodRouter, on},
};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::{Notify, mpsc},
    task::JoinHandle,
};

use crate::{
    Config, ConfigError, Endpoint, Expected, PeopleFilter, PersonStats, Provider, ScriptedResponse,
    Stats, admin, clock, delivery, exchange,
    expected::matched,
    reply::Incoming,
    sandbox_state::SandboxState,
    wire::{Link, Wires},
};

/// How long a stop waits for answers that are under way.
const STOP_WAIT: Duration = Duration::from_secs(1);

/// Why the sandbox didn't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The address can't be listened on.
    #[error("listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The reason.
        source: io::Error,
    },
    /// The client for webhooks can't be made.
    #[error("client for webhooks: {0}")]
    Client(#[from] reqwest::Error),
}

/// A running sandbox. It ends when it is dropped; [`Sandbox::shutdown`] lets answers that are under way end first.
pub struct Sandbox {
    state: Arc<SandboxState>,
    address: SocketAddr,
    base_url: String,
    stop: Arc<Notify>,
    server: JoinHandle<()>,
    workers: [JoinHandle<()>; 2],
}

impl Sandbox {
    /// Starts both providers on one address.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        config.check()?;
        let listen = |source| StartError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let state = Arc::new(SandboxState::new(config, client()?));
        let (outbox, deliveries) = mpsc::unbounded_channel();
        let workers = [
            tokio::spawn(delivery::watch(Arc::clone(&state), outbox)),
            tokio::spawn(delivery::dispatch(Arc::clone(&state), deliveries)),
        ];
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let service = router(Arc::clone(&state)).into_make_service_with_connect_info::<Link>();
        let serve = axum::serve(Wires(listener), service)
            .with_graceful_shutdown(async move { stopped.notified().await });
        let server = tokio::spawn(async move {
            if let Err(error) = serve.await {
                tracing::error!(%error, "the sandbox stopped serving");
            }
        });
        Ok(Self { state, address, base_url: format!("http://{address}"), stop, server, workers })
    }

    /// The base URL of both providers, as `http://127.0.0.1:4000`.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The address that the sandbox listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The configuration in force.
    pub fn config(&self) -> Config {
        (*self.state.config()).clone()
    }

    /// Replaces the configuration.
    pub fn set_config(&self, config: Config) -> Result<(), ConfigError> {
        config.check()?;
        self.state.set_config(config);
        Ok(())
    }

    /// Replaces parts of the configuration, as `json!({"ocean": {"faults": {"drop_after_rate": 1}}})`.
    pub fn merge_config(&self, patch: &Value) -> Result<Config, ConfigError> {
        let config = self.state.config().merged(patch)?;
        self.state.set_config(config.clone());
        Ok(config)
    }

    /// Returns what is true of a person. For Clodura the identifier is a `personId` or a LinkedIn address.
    pub fn expected(&self, provider: Provider, identifier: &str) -> Expected {
        Expected::of(&self.state.config(), provider, identifier)
    }

    /// Returns Ocean's id of the person with a LinkedIn handle; `None` if a lookup leaves the person out.
    pub fn matched(&self, handle: &str) -> Option<String> {
        matched(&self.state.config(), handle)
    }

    /// Adds credits to an account; a negative number takes some away.
    pub fn top_up(&self, provider: Provider, credits: i64) {
        self.state.top_up(provider, credits);
    }

    /// Everything that was counted.
    pub fn stats(&self) -> Stats {
        self.state.stats()
    }

    /// How often people were asked for and charged.
    pub fn people(&self, filter: &PeopleFilter) -> Vec<PersonStats> {
        self.state.audit().people(filter)
    }

    /// One person's counts; `None` if no accepted request named them.
    pub fn person(&self, provider: Provider, identifier: &str) -> Option<PersonStats> {
        let filter = PeopleFilter {
            provider: Some(provider),
            id: Some(identifier.to_owned()),
            limit: 1,
            ..PeopleFilter::default()
        };
        self.people(&filter).pop()
    }

    /// Answers an endpoint's next requests with `responses`, after the answers that were scripted before.
    pub fn script(&self, endpoint: Endpoint, responses: Vec<ScriptedResponse>) {
        self.state.scripts().add(endpoint, responses);
    }

    /// Forgets the rest of an endpoint's script.
    pub fn clear_script(&self, endpoint: Endpoint) {
        self.state.scripts().clear(endpoint);
    }

    /// Holds all webhooks back from now on; results are made and charged as always.
    pub fn hold_webhooks(&self) {
        self.state.queue.hold();
    }

    /// Sends the webhooks that were held back, and all webhooks from now on.
    pub fn release_webhooks(&self) {
        self.state.queue.release();
    }

    /// Waits until `wanted` holds for the counts; returns false if it doesn't within the time.
    pub async fn wait_for(&self, within: Duration, wanted: impl Fn(&Stats) -> bool) -> bool {
        let deadline = clock::now() + within;
        loop {
            if wanted(&self.stats()) {
                return true;
            }
            if clock::now() >= deadline {
                return false;
            }
            clock::pause(Duration::from_millis(2)).await;
        }
    }

    /// Waits until all results are made and all webhooks delivered or given up.
    pub async fn wait_until_idle(&self, within: Duration) -> bool {
        self.wait_for(within, |stats| stats.pending == 0).await
    }

    /// Accepts no new requests, lets answers that are under way end for a second, and stops. Webhooks that aren't out
    /// yet never leave.
    pub async fn shutdown(mut self) {
        self.stop.notify_one();
        if tokio::time::timeout(STOP_WAIT, &mut self.server).await.is_err() {
            tracing::debug!("some answers were cut off");
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Connections are tasks of their own: this line ends them, the next line ends the listener.
        self.stop.notify_one();
        self.server.abort();
        for worker in &self.workers {
            worker.abort();
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "no part of the clients' code is used here, their HTTP client included"
)]
fn client() -> Result<reqwest::Client, reqwest::Error> {
    // An error means that a crypto provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        // Webhooks carry made-up people only, and listeners under test have certificates of their own making.
        .tls_danger_accept_invalid_certs(true)
        .build()
}

fn router(state: Arc<SandboxState>) -> Router {
    Router::new()
        .route("/v2/reveal/phones", provider(MethodFilter::POST, Endpoint::OceanReveal))
        .route("/v2/lookup/people", provider(MethodFilter::POST, Endpoint::OceanLookup))
        .route("/v2/credits/balance", provider(MethodFilter::GET, Endpoint::OceanBalance))
        .route(
            "/api/v1/search/people/phone/match",
            provider(MethodFilter::POST, Endpoint::CloduraReveal),
        )
        .route(
            "/api/v1/search/people/track/{tracking_id}",
            provider(MethodFilter::GET, Endpoint::CloduraTrack),
        )
        .route("/api/v1/credits", provider(MethodFilter::GET, Endpoint::CloduraBalance))
        .merge(admin::router())
        .fallback(|State(state): State<Arc<SandboxState>>| async move {
            state.audit().unknown_paths += 1;
            StatusCode::NOT_FOUND
        })
        .with_state(state)
}

fn provider(method: MethodFilter, endpoint: Endpoint) -> MethodRouter<Arc<SandboxState>> {
    on(
        method,
        move |State(state): State<Arc<SandboxState>>,
              ConnectInfo(link): ConnectInfo<Link>,
              uri: Uri,
              headers: HeaderMap,
              body: Bytes| {
            exchange::answer(state, endpoint, Incoming { uri, headers, body }, link)
        },
    )
}
