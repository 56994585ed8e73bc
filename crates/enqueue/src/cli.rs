use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

use crate::alias::AliasCommand;
use crate::export::ExportArgs;
use crate::forget::{EraseArgs, PurgeArgs};
use crate::global::Global;
use crate::manage::{CancelArgs, PauseArgs, PriorityArgs, ResumeArgs, RetryArgs};
use crate::reconcile::ReconcileArgs;
use crate::replay::ReplayArgs;
use crate::rotate::RotateCommand;
use crate::status::StatusArgs;
use crate::submit::SubmitArgs;
use crate::suppress::SuppressCommand;

/// Submits batches of people, to reveal their phone numbers, and manages these batches.
///
/// Data goes to standard output, everything else to standard error. Exit codes: 0 done, 1 failed
/// while running, 2 wrong usage, 3 input refused and nothing of it enqueued.
#[derive(Debug, Parser)]
#[command(name = "enqueue", version, after_help = EXAMPLES)]
pub struct Cli {
    /// What all commands have in common.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  enqueue submit people.csv --dry-run
  enqueue submit people.csv --name spring --max-credits ocean=500,clodura=2000
  enqueue status --watch
  enqueue export spring -o spring.revealed.csv";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Enqueue the people of one or more files as a batch
    Submit(Box<SubmitArgs>),
    /// Show the state of batches, and what holds them up
    Status(StatusArgs),
    /// Write a batch's rows with their results
    Export(ExportArgs),
    /// Send no more of a batch. Results of earlier requests are still received and kept
    Cancel(CancelArgs),
    /// Ask again for a batch's failed, expired or cancelled rows
    Retry(RetryArgs),
    /// Set a batch's priority. Batches of one priority share a provider's rate
    Priority(PriorityArgs),
    /// Ask a provider for no more people until it is resumed
    Pause(PauseArgs),
    /// End a provider's pause, try its closed gate at once, or raise a batch's ceiling
    Resume(ResumeArgs),
    /// Compare the ledger's spending with the accounts' balances, by provider and day
    Reconcile(ReconcileArgs),
    /// Erase a person under all their known identifiers, and never ask for them again
    Erase(EraseArgs),
    /// Delete people who were finished long ago. Asking for them again pays again
    Purge(PurgeArgs),
    /// Manage the list of people and numbers that are never asked for or exported
    #[command(subcommand)]
    Suppress(SuppressCommand),
    /// Apply stored webhooks again, after an upgrade that can read them
    Replay(ReplayArgs),
    /// Separate identifiers that were joined by mistake
    #[command(subcommand)]
    Alias(AliasCommand),
    /// Replace a secret of the ledger with a new one
    #[command(subcommand)]
    Rotate(RotateCommand),
    /// Migrate the database's schema, which the other commands also do at start
    Migrate,
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write a manual page for each command
    Man {
        /// The folder for the pages, created if missing
        folder: PathBuf,
    },
}
