//! Logs, written to stderr as docs/logging.md describes, and spans.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::otlp::{LoggedOrSent, Spans};

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging; `RUST_LOG` filters. Colour only on a terminal, and not with `NO_COLOR`. `spans` gets its spans
/// whether they are logged or not.
pub fn init(format: LogFormat, spans: Option<Spans>) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        EnvFilter::new("warn,worker=info,store=info,db=info,providers=info,jobs=info,sandbox=warn")
    });
    match spans {
        None => tracing_subscriber::registry().with(logs(format)).with(filter).init(),
        Some(spans) => {
            let subscriber = tracing_subscriber::registry().with(spans).with(LoggedOrSent(filter));
            subscriber.with(logs(format)).init();
        }
    }
}

fn logs<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let colour = std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let logs = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colour);
    match format {
        LogFormat::Text => logs.with_target(false).boxed(),
        LogFormat::Json => logs.json().boxed(),
    }
}

/// Adds the result to the current span, which must have these fields.
pub fn span_ended(http_status: Option<u16>, outcome: &'static str) {
    tracing::Span::current().record("http_status", http_status).record("outcome", outcome);
}
