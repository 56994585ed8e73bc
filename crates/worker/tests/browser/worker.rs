//! A real worker in the sandbox, and people submitted to it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use jobs::{Clock, Credits, Identifier, IdentifierKind, Provider};
use serde_json::Value;
use store::{NewBatch, NewRow, NewStep, Store};

pub struct Worker {
    pub url: String,
    pub store: Store,
    process: Child,
    logs: Arc<Mutex<Vec<Value>>>,
    directory: tempfile::TempDir,
}

impl Worker {
    pub async fn start() -> Worker {
        Worker::start_with(&[]).await
    }

    /// Starts a worker with more arguments.
    pub async fn start_with(arguments: &[&str]) -> Worker {
        let directory = tempfile::tempdir().expect("a directory");
        let setup = serde_json::json!({"clodura": {"result_delay_ms": [200, 2500]}, "ocean": {"result_delay_ms": [500, 3000]}});
        let config = directory.path().join("sandbox.json");
        std::fs::write(&config, setup.to_string()).expect("a file");
        let database = format!("sqlite://{}", directory.path().join("sandbox.db").display());
        let mut process = Command::new(env!("CARGO_BIN_EXE_worker"))
            .args(["--sandbox", "--admin-addr=127.0.0.1:0", "--listen-addr=127.0.0.1:0"])
            .args(["--log-format=json", "--clodura-rate=20/s", "--sandbox-config"])
            .arg(&config)
            .args(["--database-url", &database])
            .args(arguments)
            .current_dir(directory.path())
            .env_remove("ADMIN_TOKEN")
            .env_remove("RUST_LOG")
            .stderr(Stdio::piped())
            .spawn()
            .expect("worker starts");
        let stderr = process.stderr.take().expect("its stderr");
        let mut lines = BufReader::new(stderr).lines();
        let admin = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let line: Value = serde_json::from_str(&line).expect("logs are JSON");
            Some(line["fields"]["admin"].as_str()?.to_owned())
        });
        let logs = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&logs);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // A line that is not JSON is kept as text, so that a test of the log finds it.
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                kept.lock().expect("nobody panics with it").push(line);
            }
        });
        let url = format!("http://{}", admin.expect("the worker is ready"));
        let store = Store::connect(&database, false, Clock::system()).await.expect("connects");
        Worker { url, store, process, logs, directory }
    }

    /// Every line that was logged since it was ready.
    pub fn logs(&self) -> Vec<Value> {
        self.logs.lock().expect("nobody panics with it").clone()
    }

    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Rows for which a number was found so far.
    pub async fn found(&self) -> i64 {
        let overview = self.store.reports().overview(1).await.expect("the ledger is read");
        overview.providers.iter().map(|provider| provider.counts.found).sum()
    }

    /// Changes the ledger past the worker.
    pub fn sql(&self, statement: &str) {
        let database = self.directory.path().join("sandbox.db");
        let mut ran = Command::new("sqlite3");
        ran.args(["-cmd", ".timeout 20000"]).arg(database).arg(statement);
        let ran = ran.output().expect("sqlite3 runs");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }

    /// Ends the worker as a crash does.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Submits a batch of people that both providers know.
    pub async fn submit(&self, name: &str, people: i64) -> String {
        let new = NewBatch {
            name: Some(name.to_owned()),
            header: Some(vec!["name".into()]),
            priority: 0,
            max_credits: [(Provider::Ocean, Credits::whole(people / 2))].into(),
            refresh_before: None,
            wants_mobile: false,
        };
        let batch = self.store.batches().begin_batch(new).await.expect("begins");
        let rows = (1..=people).map(|n| row(name, n)).collect();
        self.store.batches().load(&batch, rows).await.expect("loads");
        self.store.batches().publish(&batch, None).await.expect("publishes");
        batch.batch_id.to_string()
    }
}

fn row(batch: &str, number: i64) -> NewRow {
    let identifier =
        |kind, id: String| Identifier::parse(kind, &id).expect("an id").encode().into();
    let slug =
        format!("https://www.linkedin.com/in/{}-{number}", batch.to_lowercase().replace(' ', "-"));
    let ocean_id = format!("{batch}{number}").replace(' ', "");
    let identifiers = [
        identifier(IdentifierKind::OceanPersonId, ocean_id),
        identifier(IdentifierKind::LinkedinUrl, slug),
    ];
    let steps = [
        NewStep { provider: Provider::Ocean, asks_by: Some(0) },
        NewStep { provider: Provider::Clodura, asks_by: Some(1) },
    ];
    NewRow {
        number,
        fields: format!("[\"Person {number}\"]"),
        identifiers: identifiers.into_iter().collect(),
        steps: steps.into(),
        erased: false,
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}
