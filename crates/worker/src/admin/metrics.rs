//! `GET /metrics`: this process's counters and the state of the ledger, in the Prometheus text format.

use std::fmt::Write;
use std::sync::atomic::AtomicU64;

use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jobs::Credits;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use store::{Overview, ProviderOverview};

use super::cached::PATIENCE;
use super::state::Admin;
use crate::app::App;
use crate::metrics::PREFIX;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";

type Labels = Vec<(&'static str, String)>;

/// Answers a scrape. An unreadable ledger is a metric, too: the process's own counters are wanted most while the
/// database is away.
pub async fn scrape(State(admin): State<Admin>, headers: HeaderMap) -> Response {
    let seen = admin.seen().await;
    let Ok(text) = write(&admin.app, seen.as_deref().ok().map(|seen| &seen.overview)) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let wants_open_metrics = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|accept| accept.to_str().ok())
        .any(|accept| accept.contains("application/openmetrics-text"));
    if wants_open_metrics {
        ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response()
    } else {
        ([(CONTENT_TYPE, CLASSIC)], classic(&text)).into_response()
    }
}

/// What a scrape would show now, in the OpenMetrics format.
///
/// # Errors
/// A metric can't be written.
pub(crate) async fn text(app: &App) -> Result<String, std::fmt::Error> {
    let overview = tokio::time::timeout(PATIENCE, app.store.reports().overview(0)).await;
    write(app, overview.ok().and_then(Result::ok).as_ref())
}

fn write(app: &App, overview: Option<&Overview>) -> Result<String, std::fmt::Error> {
    let mut text = String::with_capacity(16 * 1024);
    encode_registry(&mut text, app.metrics().registry())?;
    encode_registry(&mut text, &ledger(overview))?;
    encode_eof(&mut text)?;
    Ok(text)
}

/// Turns OpenMetrics into the classic format. OpenMetrics describes a counter under its name without `_total`; the
/// classic format describes it under the name of its samples, and has no units.
fn classic(text: &str) -> String {
    let counters: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        if line.starts_with("# UNIT ") || line == "# EOF" {
            continue;
        }
        let described = line
            .strip_prefix("# HELP ")
            .or_else(|| line.strip_prefix("# TYPE "))
            .and_then(|rest| rest.split_once(' '))
            .filter(|(name, _)| counters.contains(name));
        // Writing to a String can't fail.
        let _ = match described {
            Some((name, rest)) => writeln!(out, "{}{name}_total {rest}", &line[..7]),
            None => writeln!(out, "{line}"),
        };
    }
    out
}

fn ledger(overview: Option<&Overview>) -> Registry {
    let mut registry = Registry::with_prefix(PREFIX);
    let up = [(vec![], f64::from(u8::from(overview.is_some())))];
    gauge(&mut registry, "ledger_up", "Whether the ledger could be read", up);
    if let Some(overview) = overview {
        rows(&mut registry, overview);
        gates(&mut registry, overview);
        calls(&mut registry, overview);
        credits(&mut registry, overview);
        processes(&mut registry, overview);
    }
    registry
}

fn gauge(
    registry: &mut Registry,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (Labels, f64)>,
) {
    let family = Family::<Labels, Gauge<f64, AtomicU64>>::default();
    for (labels, value) in values {
        family.get_or_create(&labels).set(value);
    }
    registry.register(name, help, family);
}

/// One value a provider, where there is one.
fn of_providers(
    registry: &mut Registry,
    overview: &Overview,
    (name, help): (&str, &str),
    value: impl Fn(&ProviderOverview) -> Option<f64>,
) {
    let values = overview.providers.iter().filter_map(|p| Some((vec![provider(p)], value(p)?)));
    gauge(registry, name, help, values);
}

fn provider(of: &ProviderOverview) -> (&'static str, String) {
    ("provider", of.provider.to_string())
}

fn rows(registry: &mut Registry, overview: &Overview) {
    let states = overview.providers.iter().flat_map(|p| {
        p.counts.by_state().map(|(state, n)| (vec![provider(p), ("state", state.into())], n as f64))
    });
    gauge(registry, "rows", "Rows of all batches by the state they show", states);
    let open = [(vec![], overview.open_batches as f64)];
    gauge(registry, "open_batches", "Batches that are not finished", open);
    let lag = (
        "lag_seconds",
        "How long the first person who could be asked has waited; 0: no person waits",
    );
    of_providers(registry, overview, lag, |p| {
        Some(p.waiting_since.map_or(0.0, |since| overview.at.since(since).as_secs_f64()))
    });
}

fn gates(registry: &mut Registry, overview: &Overview) {
    let states = overview.providers.iter().flat_map(|p| {
        ["open", "closed", "probing", "paused"].map(|state| {
            (vec![provider(p), ("state", state.into())], f64::from(u8::from(p.gate == state)))
        })
    });
    gauge(registry, "gate", "1 for the state that a provider's gate is in", states);
    let reasons = overview.providers.iter().filter_map(|p| {
        let reason = p.reason.clone().filter(|_| p.gate != "open")?;
        Some((vec![provider(p), ("reason", reason)], 1.0))
    });
    gauge(registry, "gate_shut", "1 for the reason why a gate is not open", reasons);
    let rate = ("request_rate_limit", "Requests a second that may go, lower after a 429");
    of_providers(registry, overview, rate, |p| p.rate);
    let today = ("requests_today", "Requests since midnight, UTC");
    of_providers(registry, overview, today, |p| Some(p.requests_today as f64));
    let left = ("requests_left_today", "Requests that the provider takes before its day ends");
    of_providers(registry, overview, left, |p| p.requests_left.map(|n| n as f64));
}

fn calls(registry: &mut Registry, overview: &Overview) {
    let out = ("calls_out", "Requests whose results are out, counted to 1,000");
    of_providers(registry, overview, out, |p| Some(p.out as f64));
    let oldest =
        ("oldest_call_age_seconds", "Age of the oldest request whose results are out; 0: none");
    of_providers(registry, overview, oldest, |p| {
        Some(p.oldest_out.map_or(0.0, |sent| overview.at.since(sent).as_secs_f64()))
    });
    let webhook = (
        "webhook_applied_age_seconds",
        "The time since a webhook was last applied, to within about a minute",
    );
    of_providers(registry, overview, webhook, |p| {
        Some(overview.at.since(p.webhook_at?).as_secs_f64())
    });
    let inbox = overview.inbox;
    let backlog = [(vec![], inbox.waiting as f64)];
    gauge(registry, "inbox_webhooks", "Stored webhooks that wait to be applied", backlog);
    let failing = [(vec![], inbox.failing as f64)];
    gauge(registry, "inbox_failing", "Those of them that could not be applied", failing);
    let age = inbox.oldest.map_or(0.0, |since| overview.at.since(since).as_secs_f64());
    gauge(registry, "inbox_age_seconds", "Age of the oldest of them; 0: none", [(vec![], age)]);
}

fn credits(registry: &mut Registry, overview: &Overview) {
    let left = ("credits_left", "Credits in the account, as last read, less what was spent since");
    of_providers(registry, overview, left, |p| p.credits_left.map(Credits::as_f64));
    let reserved = ("credits_reserved", "Credits reserved for requests whose results are out");
    of_providers(registry, overview, reserved, |p| Some(p.counts.credits_reserved.as_f64()));
    let spent = ("credits_spent", "Credits that the batches in the ledger cost");
    of_providers(registry, overview, spent, |p| Some(p.counts.credits_spent.as_f64()));
}

fn processes(registry: &mut Registry, overview: &Overview) {
    let age = |works: bool| {
        let of_role = overview.workers.iter().filter(|w| !works || w.role != "webhooks");
        of_role.map(|w| overview.at.since(w.heartbeat_at).as_secs_f64()).reduce(f64::min)
    };
    let ages = [("any", age(false)), ("jobs", age(true))];
    let ages = ages.into_iter().filter_map(|(role, age)| Some((vec![("role", role.into())], age?)));
    gauge(
        registry,
        "heartbeat_age_seconds",
        "The time since the last heartbeat of a worker; jobs: of one that sends requests",
        ages,
    );
    let alive = overview.workers.len() as f64;
    gauge(
        registry,
        "workers",
        "Workers heard of within an hour that did not stop",
        [(vec![], alive)],
    );
}

#[cfg(test)]
mod tests {
    use super::classic;

    #[test]
    fn a_counter_is_described_under_its_samples_name() {
        let text = "# HELP a Things.\n# TYPE a counter\na_total 1\n# TYPE b_seconds gauge\n# UNIT b_seconds seconds\nb_seconds 2\n# EOF\n";
        assert_eq!(
            classic(text),
            "# HELP a_total Things.\n# TYPE a_total counter\na_total 1\n# TYPE b_seconds gauge\nb_seconds 2\n"
        );
    }
}
