use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::process::Command;

use crate::bench::Bench;
use crate::database::Database;
use crate::process::{self, Ran, Running};

/// The stand-in for both providers, in a separate process.
pub struct Sandbox {
    pub base_url: String,
    pub process: Running,
}

impl Sandbox {
    /// Starts a sandbox that answers at once, with these settings changed.
    pub async fn start(bench: &Bench, knobs: &[&str]) -> Result<Sandbox> {
        let mut command = Command::new(bench.program("sandbox")?);
        command.args(["--instant", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
        // Accounts that never run dry.
        let plenty = ["ocean.recurrent=1000000000", "clodura.remaining_credits=1000000000"];
        for knob in plenty.iter().chain(knobs) {
            command.args(["--set", knob]);
        }
        command.env("RUST_LOG", "warn");
        let mut process = Running::start(command, &bench.dir.join("sandbox.log"))?;
        let base_url = process.first_line().await.context("the sandbox")?;
        Ok(Sandbox { base_url, process })
    }

    /// Holds all webhooks back, or releases them.
    pub async fn hold_webhooks(&self, bench: &Bench, hold: bool) -> Result<()> {
        let verb = if hold { "hold" } else { "release" };
        let url = format!("{}/sandbox/webhooks/{verb}", self.base_url);
        bench.http.post(url).send().await?.error_for_status()?;
        Ok(())
    }

    /// Returns its counters.
    pub async fn stats(&self, bench: &Bench) -> Result<Value> {
        let url = format!("{}/sandbox/stats", self.base_url);
        Ok(bench.http.get(url).send().await?.error_for_status()?.json().await?)
    }
}

/// How a worker's results come in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Results {
    ByWebhook,
    ByPolling,
}

/// A worker on a database, with a sandbox.
pub struct Worker {
    pub process: Running,
    /// The address at which it receives webhooks.
    pub listen: String,
}

impl Worker {
    /// Starts a worker whose rates are no limit, and waits until it is ready.
    pub async fn start(
        bench: &Bench,
        database: &Database,
        sandbox: &Sandbox,
        results: Results,
        settings: &[(&str, &str)],
    ) -> Result<Worker> {
        let (listen, admin) = (free_address()?, free_address()?);
        let mut command = product(bench, "worker", database)?;
        command
            .env("LISTEN_ADDR", &listen)
            .env("ADMIN_ADDR", &admin)
            .env("OCEAN_API_TOKEN", "bench")
            .env("CLODURA_API_KEY", "bench")
            .env("OCEAN_BASE_URL", &sandbox.base_url)
            .env("CLODURA_BASE_URL", &sandbox.base_url)
            .env("OCEAN_RATE", "100000/s")
            .env("CLODURA_RATE", "100000/s")
            .env("WEBHOOK_CANARY", "0")
            .env("SPOOL_DIR", bench.dir.join("spool"))
            .stdout(Stdio::null());
        if results == Results::ByWebhook {
            command.env("WEBHOOK_PUBLIC_URL", format!("http://{listen}"));
        } else {
            command.env("POLL_INTERVAL", "100ms");
        }
        command.envs(settings.iter().copied());
        let mut process = Running::start(command, &bench.dir.join("worker.log"))?;
        let ready = format!("http://{admin}/readyz");
        for _ in 0..600 {
            ensure!(!process.has_ended(), "the worker ended: {}", process.last_words());
            if let Ok(answer) = bench.http.get(&ready).send().await
                && answer.status().is_success()
            {
                return Ok(Worker { process, listen });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("the worker does not become ready: {}", process.last_words())
    }
}

/// A program of the product on this database, with nothing from the environment.
fn product(bench: &Bench, name: &str, database: &Database) -> Result<Command> {
    let mut command = Command::new(bench.program(name)?);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["OCEAN_", "CLODURA_", "WEBHOOK_", "RUST_LOG"].iter().any(|p| text.starts_with(p)) {
            command.env_remove(&name);
        }
    }
    command.env("DATABASE_URL", &database.url).env("NO_COLOR", "1");
    Ok(command)
}

/// Runs `enqueue` to its end.
pub async fn enqueue(bench: &Bench, database: &Database, args: &[&str]) -> Result<Ran> {
    let mut command = product(bench, "enqueue", database)?;
    command.args(args);
    process::run(command).await.with_context(|| format!("enqueue {}", args.join(" ")))
}

/// Returns an address whose port is free at the moment.
fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}
