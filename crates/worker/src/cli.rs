//! The command line of the worker.

use clap::{Parser, Subcommand};

use crate::config::Config;
use crate::{doctor, health};

const EXAMPLES: &str = "\
Examples:
  worker --sandbox --until-idle     try it; spends nothing
  worker doctor                     find what is wrong with the set-up
  worker                            work until SIGTERM
  worker --role webhooks            receive webhooks and nothing else

Variables without a flag:
  RUST_LOG                          filters the logs [default: info]
  NO_COLOR                          keeps the logs plain
  OTEL_EXPORTER_OTLP_ENDPOINT       where traces and metrics are sent by OTLP (docs/operations.md)";

/// Processes the queue: asks the providers for people, receives their webhooks, polls late results.
///
/// Runs until SIGTERM or SIGINT. Almost every setting is a flag and an environment variable. Any
/// number of workers may share a Postgres database; the rate limits hold over all of them.
#[derive(Debug, Clone, Parser)]
#[command(name = "worker", version, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do instead of working.
    #[command(subcommand)]
    pub command: Option<Command>,

    #[allow(missing_docs, reason = "what is said here would take the place of the text above")]
    #[command(flatten)]
    pub config: Config,
}

/// What a worker does besides working.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Find what is wrong with the set-up before money is spent, and how to fix it
    #[command(mut_args(|arg| { let own = ["json", "help"].contains(&arg.get_id().as_str()); arg.hide(!own) }))]
    #[command(
        after_help = "Takes every setting of worker, as a flag or a variable. See worker --help."
    )]
    Doctor(Box<doctor::Options>),
    /// Exit with code 0 if the worker on ADMIN_ADDR answers: the health check of images
    Healthcheck(health::Options),
}
