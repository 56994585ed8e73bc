//! Submits batches of people and manages them.

/// The user who runs a command.
mod actor;
/// `enqueue alias split`.
mod alias;
/// The command line.
pub mod cli;
/// The ledger that a command works on.
mod context;
/// The database that was perhaps meant.
mod elsewhere;
/// `enqueue export`.
pub mod export;
/// How commands fail, and with which exit code.
pub mod failure;
/// `enqueue erase` and `purge`.
mod forget;
/// What all commands have in common.
pub mod global;
/// Reading what users submit: files in, rows or an error for each bad line out.
pub mod input;
/// `enqueue cancel`, `retry`, `pause` and `resume`.
mod manage;
/// Shell completions and manual pages.
mod manual;
/// Standard output that may be a closed pipe, and what a terminal may be shown.
pub mod output;
/// The file that an export writes.
mod output_file;
/// Batches as blocks of lines.
mod progress_view;
/// `enqueue reconcile`.
mod reconcile;
/// `enqueue replay`.
mod replay;
/// `enqueue rotate`.
mod rotate;
/// Running one command.
pub mod run;
/// A terminal that is redrawn.
mod screen;
/// Ctrl-C and SIGTERM.
pub mod signals;
/// How fast rows are finished.
mod speed;
/// `enqueue status`.
mod status;
/// `enqueue submit`.
mod submit;
/// `enqueue suppress`.
mod suppress;
/// Logs.
pub mod telemetry;
/// Staying with a batch until it is finished.
mod wait;
/// `enqueue status --watch`.
mod watch;
