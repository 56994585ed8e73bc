use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use axum::http::StatusCode;
use axum::routing::post;
use jobs::{CallId, Provider};
use sandbox::Sandbox;
use store::Store;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::report::Check;
use crate::app::App;
use crate::bodies::Bodies;
use crate::bootstrap::{self, Accounts};
use crate::config::Config;
use crate::config::is_this_machine;
use crate::server::{self, Patience};
use crate::spool::Spool;
use crate::webhooks::{self, Webhooks};

/// The doctor's own listener is there for two requests.
const CONNECTIONS: usize = 256;

const ADDRESS: &str = "webhook address";
const REACHED: &str = "webhook";
/// A body without a result.
const NO_RESULT: &str = r#"{"phones": []}"#;

/// Checks whether results can come back: the address makes sense, and a signed request that is sent to it arrives at
/// this machine or at a worker on this database.
pub(super) async fn check(
    config: &Config,
    accounts: &Accounts,
    store: Option<Store>,
    sandbox: Option<&Sandbox>,
    http: &reqwest::Client,
) -> Vec<Check> {
    let own = match listen(config).await {
        Ok(own) => own,
        Err(error) => {
            let message = format!("can't listen on {}: {error}", config.listen_addr);
            let fix = "set LISTEN_ADDR to an address of this machine, such as 127.0.0.1:8787";
            return vec![Check::wrong(REACHED, message, fix)];
        }
    };
    let url = bootstrap::public_url(config, sandbox, own.as_ref()).ok().flatten();
    let Some(url) = url else { return without_url(accounts).into_iter().collect() };
    let mut found = vec![validate_address(&url, accounts)];
    let Some(store) = store else {
        let fix = "fix the database first: the signature's key is in it";
        found.push(Check::warning(REACHED, "not tried", fix));
        return found;
    };
    found.push(match bootstrap::receiver(config, store).await {
        Ok(app) => try_it(app, config, own, &url, http).await,
        Err(error) => Check::wrong(REACHED, error.to_string(), "fix the database first"),
    });
    found
}

fn without_url(accounts: &Accounts) -> Option<Check> {
    let fix = "set WEBHOOK_PUBLIC_URL to the https address under which LISTEN_ADDR is reached; docs/webhook-address.md has a recipe for each case";
    if accounts.ocean_key.is_some() {
        let message =
            "WEBHOOK_PUBLIC_URL is not set: Ocean answers by webhook only, its rows are held";
        return Some(Check::wrong(ADDRESS, message, fix));
    }
    let message = "WEBHOOK_PUBLIC_URL is not set: Clodura is asked without partners, and polled";
    Some(Check::warning(ADDRESS, message, fix))
}

fn validate_address(url: &Url, accounts: &Accounts) -> Check {
    let pretend = |key: bool, base: &Url| !key || is_this_machine(base);
    let none_real = pretend(accounts.ocean_key.is_some(), &accounts.ocean_base)
        && pretend(accounts.clodura_key.is_some(), &accounts.clodura_base);
    let host = url.host_str().unwrap_or("?");
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        let message = "WEBHOOK_PUBLIC_URL is no web address";
        return Check::wrong(ADDRESS, message, "write https://HOST, perhaps with a path");
    }
    if is_this_machine(url) && none_real {
        return Check::ok(ADDRESS, format!("{host} is this machine, and so are the providers"));
    }
    if is_this_machine(url) {
        let message = format!("{host} means the provider's own machine to a provider");
        return Check::wrong(
            ADDRESS,
            message,
            "set WEBHOOK_PUBLIC_URL to a public https address (docs/webhook-address.md)",
        );
    }
    if url.scheme() != "https" {
        let message = "WEBHOOK_PUBLIC_URL is not https: phone numbers could be read on the way";
        return Check::wrong(
            ADDRESS,
            message,
            "put a proxy with a certificate in front of LISTEN_ADDR (docs/webhook-address.md)",
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        let message = "what follows ? or # in WEBHOOK_PUBLIC_URL is left out";
        return Check::warning(ADDRESS, message, "write the address without it");
    }
    Check::ok(ADDRESS, format!("https, at {host}"))
}

/// Opens the doctor's own listener. `None` if a worker listens already, or if this process is not to listen.
async fn listen(config: &Config) -> io::Result<Option<TcpListener>> {
    if !config.role.receives() {
        return Ok(None);
    }
    match TcpListener::bind(config.listen_addr).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(None),
        Err(error) => Err(error),
    }
}

/// The outcome of the two requests.
struct Trial {
    /// The signed one was seen by this process.
    arrived: bool,
    forged: Result<StatusCode, String>,
    signed: Result<StatusCode, String>,
    milliseconds: u128,
}

/// Sends a forged and a signed request through the public address. While the doctor listens itself, the signed one
/// ends here and is not stored; real webhooks that come meanwhile are stored as usual.
async fn try_it(
    app: App,
    config: &Config,
    own: Option<TcpListener>,
    url: &Url,
    http: &reqwest::Client,
) -> Check {
    let call_id = CallId::generate().to_string();
    let signature = app.signing.sign(Provider::Ocean, &call_id);
    let signed = app.signing.webhook_url(url, Provider::Ocean, &call_id);
    let forged = signed.replace(&signature, &"0".repeat(signature.len()));

    let (arrived, stop) = (Arc::new(AtomicBool::new(false)), CancellationToken::new());
    let serving = own.map(|listener| {
        let seen = Arc::clone(&arrived);
        let here = post(move || async move {
            seen.store(true, Ordering::Relaxed);
            StatusCode::OK
        });
        let spool = Spool::new(config.spool_dir.clone());
        let router = webhooks::router(Webhooks { app, spool, bodies: Bodies::default() })
            .route(&format!("/webhooks/ocean/{call_id}/{signature}"), here);
        tokio::spawn(server::serve(listener, router, Patience::with(CONNECTIONS), stop.clone()))
    });
    let listened = serving.is_some();
    let forged = send(http, &forged).await;
    let started = Instant::now();
    let signed = send(http, &signed).await;
    let milliseconds = started.elapsed().as_millis().max(1);
    stop.cancel();
    if let Some(serving) = serving {
        let _ = serving.await;
    }
    let arrived = arrived.load(Ordering::Relaxed);
    validate(&Trial { arrived, forged, signed, milliseconds }, config, listened)
}

async fn send(http: &reqwest::Client, url: &str) -> Result<StatusCode, String> {
    let request = http.post(url).header("content-type", "application/json").body(NO_RESULT);
    match request.send().await {
        Ok(response) => Ok(response.status()),
        // Without the address: it holds the signature.
        Err(error) => Err(innermost(&error.without_url())),
    }
}

/// Returns the innermost cause. It says what happened; the causes above it only say where.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

fn validate(trial: &Trial, config: &Config, listened: bool) -> Check {
    let forward =
        format!("let the proxy forward POST /webhooks/… to {} with its path", config.listen_addr);
    match (&trial.signed, &trial.forged) {
        (Err(cause), _) | (_, Err(cause)) => Check::wrong(
            REACHED,
            format!("WEBHOOK_PUBLIC_URL can't be reached: {cause}"),
            format!("check its name, port and certificate; {forward}"),
        ),
        (Ok(StatusCode::OK), _) if trial.arrived => Check::ok(
            REACHED,
            format!("a signed request came back to this machine within {} ms", trial.milliseconds),
        ),
        (Ok(status), _) if trial.arrived => Check::wrong(
            REACHED,
            format!("a signed request arrives, but its 200 comes back as {}", status.as_u16()),
            "let the proxy pass answers on as they are",
        ),
        (Ok(StatusCode::OK), Ok(StatusCode::NOT_FOUND)) => Check::ok(
            REACHED,
            format!(
                "a worker on this database took a signed request within {} ms (webhook_log: unknown_call)",
                trial.milliseconds,
            ),
        ),
        (Ok(status), _) => elsewhere(*status, listened, forward),
    }
}

/// Explains an answer that came from no worker on this database.
fn elsewhere(status: StatusCode, listened: bool, forward: String) -> Check {
    let to = if listened { "LISTEN_ADDR" } else { "the running worker" };
    let code = status.as_u16();
    let (found, fix) = match status {
        _ if status.is_success() => (
            format!(
                "something that is no worker answers {code} there, even to a forged request: results would be lost"
            ),
            forward,
        ),
        StatusCode::NOT_FOUND => (
            format!("404: what answers there is not {to}, or a worker on another database"),
            format!("{forward}; use the DATABASE_URL of the running worker"),
        ),
        _ if status.is_redirection() => (
            format!("{code}: a redirect, which a provider need not follow"),
            "set WEBHOOK_PUBLIC_URL to the address that it leads to".to_owned(),
        ),
        _ if status.is_server_error() => {
            (format!("{code}: the proxy answers, and does not reach {to}"), forward)
        }
        _ => (
            format!("{code}: something in front of {to} rejects requests"),
            "let POST /webhooks/… pass without login, challenge or filter".to_owned(),
        ),
    };
    Check::wrong(REACHED, found, fix)
}
