//! A database, a sandbox and the processes between them. At the end every log is checked for leaked
//! secrets; if the test failed, the logs are shown instead.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use sandbox::{Config, Expected, Provider, Sandbox};
use serde_json::Value;
use tempfile::TempDir;

use crate::process::Output;
use crate::{
    Database, Ended, Kind, LONG, Process, Row, WorkerSetup, binary, csv_of, eventually, free_port,
    leaks,
};

/// The workers' API key for Ocean.
pub const OCEAN_KEY: &str = "e2e-ocean-token-5d1f27";
/// The workers' API key for Clodura.
pub const CLODURA_KEY: &str = "e2e-clodura-key-9c2b64";

/// The whole set-up of a test.
pub struct Scene {
    /// The stand-in for both providers.
    pub sandbox: Sandbox,
    /// The ledger.
    pub db: Database,
    /// The folder for all files of the test.
    pub directory: TempDir,
    /// Settings of every process.
    environment: BTreeMap<String, String>,
    logs: Mutex<Vec<(String, Output)>>,
    people: Mutex<Vec<Expected>>,
}

/// A batch, as `enqueue submit --json` reported it.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// Its id.
    pub id: String,
    /// The whole report.
    pub report: Value,
}

impl Scene {
    /// A new database, and a sandbox with `config`.
    pub async fn new(kind: Kind, config: Config) -> Scene {
        let directory = tempfile::tempdir().expect("a directory");
        let db = Database::create(kind, directory.path()).await;
        let sandbox = Sandbox::start(config).await.expect("the sandbox starts");
        let port = free_port();
        let mut environment: BTreeMap<String, String> =
            QUICK.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        for (name, value) in [
            ("DATABASE_URL", db.url.clone()),
            ("OCEAN_BASE_URL", sandbox.base_url().to_owned()),
            ("CLODURA_BASE_URL", sandbox.base_url().to_owned()),
            ("OCEAN_API_TOKEN", OCEAN_KEY.to_owned()),
            ("CLODURA_API_KEY", CLODURA_KEY.to_owned()),
            ("LISTEN_ADDR", format!("127.0.0.1:{port}")),
            ("WEBHOOK_PUBLIC_URL", format!("http://127.0.0.1:{port}")),
            ("SPOOL_DIR", directory.path().join("spool").display().to_string()),
        ] {
            environment.insert(name.to_owned(), value);
        }
        let (logs, people) = (Mutex::default(), Mutex::default());
        Scene { sandbox, db, directory, environment, logs, people }
    }

    /// Sets a variable for every process that starts from now on.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.environment.insert(name.to_owned(), value.into());
    }

    /// Returns a setting, or the empty text.
    pub fn setting(&self, name: &str) -> &str {
        self.environment.get(name).map_or("", String::as_str)
    }

    /// Prepares a worker.
    pub fn worker(&self) -> WorkerSetup<'_> {
        WorkerSetup::new(self, self.environment.clone())
    }

    /// Runs `enqueue` to its end.
    pub async fn enqueue(&self, arguments: &[&str]) -> Ended {
        self.enqueue_with(arguments, None).await
    }

    /// Runs `enqueue` to its end, with `input` on stdin.
    pub async fn enqueue_with(&self, arguments: &[&str], input: Option<Vec<u8>>) -> Ended {
        let mut process = self.start_enqueue(arguments, input);
        process.ended(2 * LONG).await
    }

    /// Starts `enqueue`.
    pub fn start_enqueue(&self, arguments: &[&str], input: Option<Vec<u8>>) -> Process {
        let mut command = self.command("enqueue", &self.environment);
        command.args(arguments);
        self.follow("enqueue", Process::start(command, input))
    }

    /// Submits rows; the batch is published when this returns.
    pub async fn submit(&self, rows: &[Row], options: &[&str]) -> Submitted {
        self.know(rows);
        let arguments = [&["submit", "-", "--format", "csv", "--json"], options].concat();
        let ended = self.enqueue_with(&arguments, Some(csv_of(rows))).await.with_code(0);
        Submitted::read(&ended.stdout)
    }

    /// Registers the people of a file, so that the logs are checked for their numbers.
    pub fn know(&self, rows: &[Row]) {
        let results = rows.iter().flat_map(Row::steps).map(|(p, id)| self.sandbox.expected(p, id));
        self.people.lock().expect("no test thread panics").extend(results);
    }

    /// The exported file of a batch.
    pub async fn export(&self, batch: &str) -> String {
        self.enqueue(&["export", batch]).await.with_code(0).stdout
    }

    /// Waits until a query gives `wanted`.
    pub async fn until(&self, sql: &str, wanted: &str) {
        let result = tokio::time::timeout(LONG - Duration::from_secs(5), async {
            eventually(sql, || async {
                let seen = self.db.try_rows(sql).await.ok()?;
                (seen.first()?.first()? == wanted).then_some(())
            })
            .await;
        })
        .await;
        if result.is_err() {
            let seen = self.db.rows(sql).await;
            panic!("{sql}\ngave {seen:?} and not {wanted:?}\n{}", self.describe().await);
        }
    }

    /// Waits until every row of every batch is finished.
    pub async fn until_finished(&self) {
        let open = "SELECT SUM(total - found - not_found - failed - expired - cancelled) FROM batch_status";
        self.until(open, "0").await;
    }

    /// Describes the state of the ledger and the sandbox, for the message of a failed test.
    pub async fn describe(&self) -> String {
        let mut text = String::new();
        for sql in [
            "SELECT * FROM batch_status",
            "SELECT * FROM provider_status",
            "SELECT * FROM call_log ORDER BY sent_at DESC LIMIT 20",
            "SELECT * FROM webhook_log ORDER BY received_at DESC LIMIT 20",
            "SELECT state, reason, COUNT(*) FROM row_status GROUP BY state, reason",
        ] {
            text.push_str(&format!("{sql}\n"));
            for row in self.db.try_rows(sql).await.unwrap_or_default() {
                text.push_str(&format!("  {}\n", row.join(" | ")));
            }
        }
        format!("{text}{:#?}", self.sandbox.stats())
    }

    /// The stderr of all processes so far.
    pub fn log(&self) -> String {
        let logs = self.logs.lock().expect("no test thread panics");
        logs.iter().map(|(_, output)| output.text()).collect()
    }

    /// How many people were charged more than once, at both providers.
    pub fn charged_again(&self) -> u64 {
        let stats = self.sandbox.stats();
        stats.ocean.people_charged_again + stats.clodura.people_charged_again
    }

    /// The credits that a provider has charged.
    pub fn charged(&self, provider: Provider) -> i64 {
        let stats = self.sandbox.stats();
        let of = if provider == Provider::Ocean { stats.ocean } else { stats.clodura };
        i64::try_from(of.credits_charged).expect("few")
    }

    /// Starts another command with the workers' settings.
    pub fn start_in(&self, mut command: Command) -> Process {
        self.prepare(&mut command, &self.environment);
        self.follow("command", Process::start(command, None))
    }

    /// The command for a program. Of this process' environment it keeps only PATH and HOME.
    pub(crate) fn command(&self, program: &str, environment: &BTreeMap<String, String>) -> Command {
        let mut command = Command::new(binary(program));
        self.prepare(&mut command, environment);
        command
    }

    fn prepare(&self, command: &mut Command, environment: &BTreeMap<String, String>) {
        command.env_clear().envs(environment).current_dir(self.directory.path());
        for name in ["PATH", "HOME"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
    }

    pub(crate) fn follow(&self, name: &str, process: Process) -> Process {
        let name = format!("{name} {}", process.id());
        self.logs.lock().expect("no test thread panics").push((name, process.stderr()));
        process
    }
}

/// Settings with short times, so that everything happens soon.
const QUICK: [(&str, &str); 23] = [
    ("ADMIN_ADDR", "127.0.0.1:0"),
    ("OCEAN_RATE", "1000/s"),
    ("CLODURA_RATE", "1000/s"),
    ("WEBHOOK_CANARY", "0"),
    ("WEBHOOK_GRACE", "1s"),
    ("POLL_INTERVAL", "100ms"),
    ("POLL_INTERVAL_MAX", "1s"),
    ("RESULT_DEADLINE", "10m"),
    ("CREDITS_CHECK_INTERVAL", "200ms"),
    ("RETRY_BASE", "10ms"),
    ("RETRY_MAX", "100ms"),
    ("GATE_BASE", "100ms"),
    ("GATE_MAX", "1s"),
    ("HEARTBEAT_TIMEOUT", "3s"),
    ("REQUEST_TIMEOUT", "20s"),
    ("SHUTDOWN_TIMEOUT", "10s"),
    ("RUST_LOG", "warn,worker=debug,store=debug,db=debug,providers=debug,enqueue=debug,jobs=debug"),
    ("NO_COLOR", "1"),
    ("RUST_BACKTRACE", "1"),
    ("LC_ALL", "C.UTF-8"),
    ("TZ", "Asia/Kathmandu"),
    ("COLUMNS", "100"),
    ("LOG_FORMAT", "text"),
];

impl Submitted {
    /// Reads the output of `enqueue submit --json`.
    pub fn read(stdout: &str) -> Self {
        let report: Value = serde_json::from_str(stdout).unwrap_or_else(|_| panic!("{stdout}"));
        let id = report["batch_id"].as_str().expect("a batch_id").to_owned();
        Submitted { id, report }
    }

    /// A number of the report.
    pub fn number(&self, name: &str) -> i64 {
        self.report[name].as_i64().unwrap_or_else(|| panic!("{name} in {}", self.report))
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let people = self.people.lock().expect("no test thread panics");
            leaks::check(&self.log(), &people, &[OCEAN_KEY, CLODURA_KEY]);
            return;
        }
        for (name, output) in self.logs.lock().expect("no test thread panics").iter() {
            let text = output.text();
            let lines: Vec<&str> = text.lines().collect();
            let last = lines.len().saturating_sub(60);
            eprintln!(
                "---- {name}: the last of {} lines\n{}",
                lines.len(),
                lines[last..].join("\n")
            );
        }
    }
}
