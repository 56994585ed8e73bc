use std::time::Duration;

use percent_encoding::percent_decode_str;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

/// The only protocol that is spoken.
const PROTOCOL: &str = "http/protobuf";

/// How often metrics are sent, by default.
const INTERVAL: Duration = Duration::from_secs(60);

/// How long a request may take, by default.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What the standard variables say.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) traces: Option<Target>,
    pub(super) metrics: Option<Target>,
    /// How often metrics are sent.
    pub(super) interval: Duration,
}

/// Where messages of one kind are sent.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) url: Url,
    /// Marked sensitive: they may hold a key.
    pub(super) headers: HeaderMap,
    /// For one request.
    pub(super) timeout: Duration,
}

/// Looks a variable up.
type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Settings {
    /// Reads them by `lookup`. An empty variable is like none.
    pub(super) fn read(lookup: Lookup<'_>) -> Result<Self, String> {
        let lookup: Lookup<'_> = &|name| lookup(name).filter(|value| !value.trim().is_empty());
        let off =
            lookup("OTEL_SDK_DISABLED").is_some_and(|v| v.trim().eq_ignore_ascii_case("true"));
        if off {
            return Ok(Settings { traces: None, metrics: None, interval: INTERVAL });
        }
        let (traces, metrics) = (target(lookup, "TRACES")?, target(lookup, "METRICS")?);
        let interval = match metrics {
            Some(_) => milliseconds(lookup, "OTEL_METRIC_EXPORT_INTERVAL", INTERVAL)?,
            None => INTERVAL,
        };
        Ok(Settings { traces, metrics, interval })
    }
}

/// Where a signal goes: to its own endpoint, or to its place below the endpoint for all.
fn target(lookup: Lookup<'_>, signal: &str) -> Result<Option<Target>, String> {
    let own = format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT");
    let url = match lookup(&own) {
        Some(url) => address(&own, &url)?,
        None => match lookup("OTEL_EXPORTER_OTLP_ENDPOINT") {
            Some(url) => below(address("OTEL_EXPORTER_OTLP_ENDPOINT", &url)?, signal),
            None => return Ok(None),
        },
    };
    let (name, protocol) = chosen(lookup, signal, "PROTOCOL");
    if protocol.is_some_and(|protocol| protocol.trim() != PROTOCOL) {
        return Err(format!("{name}: only {PROTOCOL} is spoken"));
    }
    let (name, text) = chosen(lookup, signal, "HEADERS");
    let headers = headers(&text.unwrap_or_default())
        .ok_or_else(|| format!("{name}: write NAME=VALUE,NAME=VALUE, with %XX in values"))?;
    let (name, _) = chosen(lookup, signal, "TIMEOUT");
    let timeout = milliseconds(lookup, &name, TIMEOUT)?;
    Ok(Some(Target { url, headers, timeout }))
}

/// The variable of a signal if it is set, or else the one for all signals.
fn chosen(lookup: Lookup<'_>, signal: &str, what: &str) -> (String, Option<String>) {
    let own = format!("OTEL_EXPORTER_OTLP_{signal}_{what}");
    if let Some(value) = lookup(&own) {
        return (own, Some(value));
    }
    let all = format!("OTEL_EXPORTER_OTLP_{what}");
    let value = lookup(&all);
    (all, value)
}

/// The value is not repeated: it may hold a password.
fn address(name: &str, text: &str) -> Result<Url, String> {
    let url = text.trim().parse::<Url>().ok();
    url.filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| format!("{name} must begin with https:// or http://"))
}

fn below(mut url: Url, signal: &str) -> Url {
    // Only an address without a host has no segments, and such a one was refused.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(["v1", &signal.to_ascii_lowercase()]);
    }
    url
}

fn headers(text: &str) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        let mut value = HeaderValue::from_str(&value).ok()?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_bytes(name.trim().as_bytes()).ok()?, value);
    }
    Some(headers)
}

fn milliseconds(lookup: Lookup<'_>, name: &str, default: Duration) -> Result<Duration, String> {
    let Some(text) = lookup(name) else { return Ok(default) };
    let number = text.trim().parse().ok().filter(|number| *number > 0);
    let number = number.ok_or_else(|| format!("{name} must be a number of milliseconds"))?;
    Ok(Duration::from_millis(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &[(&str, &str)]) -> Result<Settings, String> {
        Settings::read(&|name| {
            set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn urls(set: &[(&str, &str)]) -> [Option<String>; 2] {
        let settings = read(set).unwrap();
        [settings.traces, settings.metrics].map(|target| target.map(|t| t.url.to_string()))
    }

    const ALL: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

    #[test]
    fn each_signal_has_its_place_below_the_endpoint() {
        assert_eq!(urls(&[]), [None, None]);
        assert_eq!(urls(&[(ALL, " ")]), [None, None]);
        assert_eq!(urls(&[(ALL, "http://c:4318"), ("OTEL_SDK_DISABLED", "True")]), [None, None]);
        for given in ["http://c:4318/otlp", "http://c:4318/otlp/"] {
            let [traces, metrics] = urls(&[(ALL, given)]);
            assert_eq!(traces.unwrap(), "http://c:4318/otlp/v1/traces");
            assert_eq!(metrics.unwrap(), "http://c:4318/otlp/v1/metrics");
        }
    }

    #[test]
    fn an_endpoint_of_a_signals_own_is_used_as_it_is() {
        let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://t/in");
        assert_eq!(urls(&[own]), [Some("https://t/in".into()), None]);
        let [traces, metrics] = urls(&[own, (ALL, "http://c")]);
        assert_eq!(
            (traces.unwrap(), metrics.unwrap()),
            ("https://t/in".into(), "http://c/v1/metrics".into())
        );
    }

    #[test]
    fn headers_and_times_are_read() {
        let settings = read(&[
            (ALL, "http://c"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b, x=1=2"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "y=3"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "500"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "250"),
        ]);
        let settings = settings.unwrap();
        let (traces, metrics) = (settings.traces.unwrap(), settings.metrics.unwrap());
        assert_eq!(settings.interval, Duration::from_millis(250));
        assert_eq!(traces.timeout, Duration::from_millis(500));
        assert_eq!(
            (&metrics.headers["api-key"], &metrics.headers["x"]),
            (&"a b".parse().unwrap(), &"1=2".parse().unwrap())
        );
        assert_eq!((traces.headers.len(), &traces.headers["y"]), (1, &"3".parse().unwrap()));
        assert!(!format!("{metrics:?}").contains("a b"));
    }

    #[test]
    fn what_can_not_be_understood_is_refused_and_not_repeated() {
        for (name, value) in [
            (ALL, "user:secret@host"),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "grpc://secret"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "secret"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "1m"),
        ] {
            // The first of a name counts.
            let error = read(&[(name, value), (ALL, "http://c")]).expect_err(name);
            assert!(error.starts_with(name) && !error.contains("secret"), "{error}");
        }
    }
}
