//! The command line of the worker.

use clap::{Parser, Subcommand};

use crate::config::Config;
use crate::{doctor, health};

const EXAMPLES: &str = "\
Examples:
  worker --sandbox --until-idle     try it; spends nothing
  worker doctor                     find what is wrong with a set-up
  worker                            work until SIGTERM
  worker --role webhooks            receive webhooks and nothing else";

/// Works the queue off: sends people to the providers, takes their webhooks, polls what is late.
///
/// Runs until SIGTERM or SIGINT. Every setting is a flag and an environment variable. Any number of
/// workers may share one Postgres; the rate limits hold over all of them.
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
    /// Finds what is wrong with a set-up before money is spent, and says how to fix it
    #[command(mut_args(|arg| { let own = ["json", "help"].contains(&arg.get_id().as_str()); arg.hide(!own) }))]
    #[command(
        after_help = "Takes every setting of worker, as a flag or from the environment: worker --help."
    )]
    Doctor(Box<doctor::Options>),
    /// Ends with code 0 if the worker on ADMIN_ADDR answers: the health check of images
    Healthcheck(health::Options),
}
