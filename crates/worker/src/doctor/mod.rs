//! `worker doctor`: finds what is wrong with a set-up before money is spent. No provider is asked for a number, no
//! gate is moved, and no worker is added to the ledger.

/// The providers' keys and accounts.
mod accounts;
/// The clocks that have to agree.
mod clocks;
/// The database.
mod database;
/// Where webhooks are kept, and how much room there is.
mod disk;
/// What was found, and how it is printed.
pub mod report;
/// Settings that contradict each other or make no sense.
mod settings;
/// Whether providers reach this worker.
mod webhook;

use std::time::Duration;

use anyhow::Context;
use clap::Args;

use crate::bootstrap::Accounts;
use crate::config::Config;
use crate::error::StartError;
use crate::start::start_sandbox;
use report::Report;

/// How long each answer over the network may take.
const PATIENCE: Duration = Duration::from_secs(10);

#[allow(missing_docs, reason = "clap would show it in place of the command's own text")]
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Print one JSON object instead of one line per check
    #[arg(long)]
    pub json: bool,

    #[allow(missing_docs, reason = "clap would show it in place of the command's own text")]
    #[command(flatten)]
    pub config: Config,
}

/// Runs all checks. Findings are in the report; they are not errors.
///
/// # Errors
/// No check could run: the sandbox can't start, or there is no TLS.
pub async fn examine(options: &Options) -> Result<Report, StartError> {
    let config = &options.config;
    config.check_secrets().map_err(StartError::Usage)?;
    let http = providers::http::client(PATIENCE).context("no HTTP client")?;
    let sandbox = start_sandbox(config).await?;
    let accounts = Accounts::new(config, sandbox.as_ref())?;

    let mut report = Report::default();
    report.add(settings::check(config));
    let (database, store) = database::check(config).await;
    report.add(database);
    report.add(disk::check(config));
    report.add(clocks::check(store.as_ref(), &accounts, &http).await);
    if config.role.works() {
        report.add(accounts::check(config, &accounts, store.as_ref(), &http).await);
    }
    report.add(webhook::check(config, &accounts, store.clone(), sandbox.as_ref(), &http).await);
    if let Some(store) = store {
        store.close().await;
    }
    if let Some(sandbox) = sandbox {
        sandbox.shutdown().await;
    }
    Ok(report)
}
