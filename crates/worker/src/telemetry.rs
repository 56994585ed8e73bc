//! Logs, written to stderr as docs/logging.md describes, and spans.

use std::io::IsTerminal;
use std::panic::PanicHookInfo;

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
    std::panic::set_hook(Box::new(log_panic));
    match spans {
        None => tracing_subscriber::registry().with(logs(format)).with(filter).init(),
        Some(spans) => {
            let subscriber = tracing_subscriber::registry().with(spans).with(LoggedOrSent(filter));
            subscriber.with(logs(format)).init();
        }
    }
}

/// Logs where a panic happened. Its message may quote a part of a webhook, and so a phone number.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let at = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(at, "a bug: the program panicked");
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

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::panic::{catch_unwind, set_hook, take_hook};
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Lines {
        type Writer = Lines;

        fn make_writer(&self) -> Lines {
            self.clone()
        }
    }

    #[test]
    fn a_panic_is_logged_without_what_it_quotes() {
        let lines = Lines::default();
        let logs = tracing_subscriber::fmt().with_writer(lines.clone()).finish();
        let before = take_hook();
        set_hook(Box::new(log_panic));
        let body = "+49 151 23456789 ä";
        let panicked = tracing::subscriber::with_default(logs, || {
            catch_unwind(|| body.get(..18).map(str::len).expect(body))
        });
        set_hook(before);
        assert!(panicked.is_err());
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(text.contains("telemetry.rs") && !text.contains("151"), "{text}");
    }
}
