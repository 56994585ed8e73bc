//! The worker: apalis runs the jobs, the ledger says what there is to do.

/// Health, metrics and the dashboard.
pub mod admin;
/// What every job needs.
pub mod app;
/// The bridge between apalis and the ledger.
pub mod backend;
/// How much of webhooks' bodies is held in memory.
pub mod bodies;
/// From settings to what the jobs need.
mod bootstrap;
/// Claims work while there are slots for it.
mod claimer;
/// The command line.
pub mod cli;
/// Command line and environment.
pub mod config;
/// Which connections are open, and which has to go.
pub mod connections;
/// `worker doctor`: finds what is wrong with a set-up before money is spent.
pub mod doctor;
/// Why a worker could not start.
pub mod error;
/// Crashes on order, for tests.
pub mod failpoint;
/// `worker healthcheck`: whether a worker answers.
pub mod health;
/// `--until-idle`.
pub mod idle;
/// One file a job.
pub mod jobs;
/// The sockets a worker listens on.
pub mod listen;
/// What this process counts.
pub mod metrics;
/// How many files may be open.
mod open_files;
/// OpenTelemetry.
pub mod otlp;
/// The thread that parses bodies.
mod parser_thread;
/// Writing down what must not be lost.
mod retry_write;
/// Counts what goes well, for one log line a minute.
pub mod routine;
/// The registration list.
pub mod runner;
/// HTTP for clients that are not trusted.
pub mod server;
/// The keys of webhook addresses.
pub mod signing;
/// How many requests are open at once.
mod slots;
/// Webhooks kept while the database is away.
pub mod spool;
/// Closes connections of clients that don't read their answers.
mod stalled;
/// From the command line to a running worker, and its end.
pub mod start;
/// Tasks that must not end silently.
pub mod supervise;
/// Logs and spans.
pub mod telemetry;
/// The webhook listener.
pub mod webhooks;
