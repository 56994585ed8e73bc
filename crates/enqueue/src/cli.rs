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

/// Submits batches of people whose phone numbers are to be revealed, and manages them.
///
/// Data goes to standard output, everything else to standard error. Exit codes: 0 done, 1 failed
/// while running, 2 wrong usage, 3 the input was refused and nothing of it was enqueued.
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
    /// Show how batches stand, and what holds them up
    Status(StatusArgs),
    /// Write a batch's rows with what was revealed
    Export(ExportArgs),
    /// Send nothing further of a batch; what is already sent is still received and kept
    Cancel(CancelArgs),
    /// Ask once more for a batch's failed rows, or for expired and cancelled ones
    Retry(RetryArgs),
    /// Set a batch's priority; those of one priority share a provider's rate
    Priority(PriorityArgs),
    /// Send no requests to a provider until it is resumed
    Pause(PauseArgs),
    /// Ask at a provider again, or raise a batch's ceiling
    Resume(ResumeArgs),
    /// Compare what the ledger booked with what the accounts say, by provider and day
    Reconcile(ReconcileArgs),
    /// Erase a person under every identifier that is known to be theirs, and never ask for them again
    Erase(EraseArgs),
    /// Forget people who were finished long ago; asking for them again pays again
    Purge(PurgeArgs),
    /// Keep the list of people and numbers that are never to be asked for or exported
    #[command(subcommand)]
    Suppress(SuppressCommand),
    /// Apply stored webhooks once more, after an upgrade that can read them
    Replay(ReplayArgs),
    /// Take identifiers apart that were joined by mistake
    #[command(subcommand)]
    Alias(AliasCommand),
    /// Replace a secret of the ledger by a new one
    #[command(subcommand)]
    Rotate(RotateCommand),
    /// Bring the database's schema up to date (the other commands do it at start, too)
    Migrate,
    /// Print the completions for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Write manual pages, one for each command
    Man {
        /// The folder to write them to; created if missing
        folder: PathBuf,
    },
}
