//! Workers as processes: set up, started, stopped.

use std::collections::BTreeMap;

use crate::{Ended, LONG, Process, Scene, eventually, free_port};

/// The settings of a worker that is not started yet.
pub struct WorkerSetup<'a> {
    scene: &'a Scene,
    environment: BTreeMap<String, String>,
    arguments: Vec<String>,
}

/// A running worker.
pub struct Worker {
    /// The process.
    pub process: Process,
    /// The address for webhooks, as `127.0.0.1:12345`; empty if it takes none.
    pub webhooks: String,
    /// The address of its health checks, metrics and dashboard.
    pub admin: String,
}

impl<'a> WorkerSetup<'a> {
    pub(crate) fn new(scene: &'a Scene, environment: BTreeMap<String, String>) -> Self {
        WorkerSetup { scene, environment, arguments: Vec::new() }
    }

    /// Sets a variable for this worker.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Removes a variable for this worker.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Uses a separate listen address, so that another worker can run.
    #[must_use]
    pub fn elsewhere(self) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let url = format!("http://{address}");
        self.set("LISTEN_ADDR", &address).set("WEBHOOK_PUBLIC_URL", &url)
    }

    /// Starts the worker without waiting.
    pub fn spawn(self) -> Process {
        let mut command = self.scene.command("worker", &self.environment);
        command.args(&self.arguments);
        self.scene.follow("worker", Process::start(command, None))
    }

    /// Starts the worker; it is ready when this returns.
    pub async fn start(self) -> Worker {
        let mut process = self.spawn();
        let log = process.stderr();
        let line = eventually("a worker is ready", || {
            let ended = process.exit_status();
            let text = log.text();
            let line = text.lines().find(|line| line.contains(" ready worker=")).map(str::to_owned);
            assert!(line.is_some() || ended.is_none(), "the worker ended: {ended:?}\n{text}");
            async move { line }
        })
        .await;
        let field = |name: &str| {
            let rest = line.split(&format!("{name}=\"")).nth(1)?;
            Some(rest.split('"').next()?.to_owned())
        };
        let webhooks = field("webhooks").unwrap_or_default();
        Worker { process, webhooks, admin: field("admin").unwrap_or_default() }
    }

    /// Runs the worker with `--until-idle` to its end.
    pub async fn until_idle(self) -> Ended {
        self.arg("--until-idle").spawn().ended(2 * LONG).await
    }
}

impl Worker {
    /// Stops the worker by SIGTERM, as its supervisor would.
    pub async fn stop(mut self) -> Ended {
        self.process.signal("TERM");
        self.process.ended(LONG).await
    }
}
