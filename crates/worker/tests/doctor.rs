//! `worker doctor` with the real binary: a good set-up, and each way of breaking it.

#![allow(clippy::expect_used, reason = "helpers of tests")]

use std::net::TcpListener as StdListener;
use std::path::Path;
use std::process::{Command, Output};

use sandbox::{Config, Sandbox};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const SECRET: &str = "key-that-nobody-may-see";

/// A set-up in a directory of its own, against a sandbox that knows one key.
struct Setup {
    directory: TempDir,
    sandbox: Sandbox,
    environment: Vec<(&'static str, String)>,
}

impl Setup {
    async fn good() -> Setup {
        let patch = serde_json::json!({"ocean": {"keys": [SECRET]}, "clodura": {"keys": [SECRET]}});
        let config = Config::instant().merged(&patch).expect("a sandbox's knobs");
        let sandbox = Sandbox::start(config).await.expect("a sandbox");
        let listen = free_address();
        let environment = vec![
            ("OCEAN_API_TOKEN", SECRET.to_owned()),
            ("CLODURA_API_KEY", SECRET.to_owned()),
            ("OCEAN_BASE_URL", sandbox.base_url().to_owned()),
            ("CLODURA_BASE_URL", sandbox.base_url().to_owned()),
            ("WEBHOOK_PUBLIC_URL", format!("http://{listen}")),
            ("LISTEN_ADDR", listen),
        ];
        Setup { directory: tempfile::tempdir().expect("a directory"), sandbox, environment }
    }

    fn set(mut self, name: &'static str, value: impl Into<String>) -> Setup {
        self.environment.retain(|(known, _)| *known != name);
        self.environment.push((name, value.into()));
        self
    }

    fn without(mut self, name: &str) -> Setup {
        self.environment.retain(|(known, _)| *known != name);
        self
    }

    fn get(&self, name: &str) -> &str {
        self.environment.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = worker(self.directory.path(), arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    async fn doctor(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(&[&["doctor"], arguments].concat());
        let output = tokio::task::spawn_blocking(move || command.output());
        let output = output.await.expect("a thread").expect("worker starts");
        for text in [&output.stdout, &output.stderr] {
            assert!(!String::from_utf8_lossy(text).contains(SECRET), "the key is shown");
        }
        output
    }

    /// The exit code, and every check that isn't `ok`, as `status check: message`.
    async fn troubles(&self) -> (Option<i32>, Vec<String>) {
        let output = self.doctor(&["--json"]).await;
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON on stdout");
        let word = |check: &Value, name: &str| check[name].as_str().unwrap_or_default().to_owned();
        let checks = report["checks"].as_array().expect("checks");
        let troubles = checks.iter().filter(|check| check["status"] != "ok").map(|check| {
            assert!(!word(check, "fix").is_empty(), "nobody says how to fix {check}");
            format!(
                "{} {}: {}",
                word(check, "status"),
                word(check, "check"),
                word(check, "message")
            )
        });
        (output.status.code(), troubles.collect())
    }

    /// Asserts that exactly one check is wrong, and that its message contains `words`.
    async fn is_wrong(&self, words: &str) {
        let (code, troubles) = self.troubles().await;
        let wrong: Vec<_> = troubles.iter().filter(|line| line.starts_with("wrong")).collect();
        assert_eq!(code, Some(1), "{troubles:?}");
        assert_eq!(wrong.len(), 1, "{troubles:?}");
        assert!(wrong[0].contains(words), "{words:?} is not in {:?}", wrong[0]);
    }
}

fn worker(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
    command.args(arguments).current_dir(directory).env_clear().env("NO_COLOR", "1");
    command
}

fn free_address() -> String {
    let listener = StdListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").to_string()
}

/// A server that answers everything with `status`.
async fn answers(status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("its address"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let answer =
                format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

#[tokio::test]
async fn a_good_setup_has_nothing_wrong_and_no_person_is_asked() {
    let setup = Setup::good().await;
    assert_eq!(setup.troubles().await, (Some(0), vec![]));
    let stats = setup.sandbox.stats();
    assert_eq!((stats.ocean.people, stats.clodura.people), (0, 0));

    let output = setup.doctor(&[]).await;
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.lines().all(|line| line.starts_with("ok ")), "{text}");
    assert!(text.contains("a signed request came back to this machine"), "{text}");
}

#[tokio::test]
async fn the_sandbox_is_a_good_setup() {
    let setup = Setup::good().await;
    let output = setup.doctor(&["--sandbox"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
async fn a_key_that_the_provider_refuses() {
    let setup = Setup::good().await.set("OCEAN_API_TOKEN", "another");
    setup.is_wrong("ocean account: the key is refused: HTTP 403").await;
    let setup = Setup::good().await.set("CLODURA_API_KEY", "another");
    setup.is_wrong("clodura account: the key is refused: HTTP 401").await;
}

#[tokio::test]
async fn a_key_that_no_request_can_carry_and_no_key_at_all() {
    let setup = Setup::good().await.set("OCEAN_API_TOKEN", "two\nlines");
    setup.is_wrong("characters that can't be sent").await;
    let setup = Setup::good().await.without("OCEAN_API_TOKEN").set("CLODURA_API_KEY", " ");
    setup.is_wrong("no provider can be asked").await;
}

#[tokio::test]
async fn a_provider_that_can_not_be_reached() {
    let closed = format!("http://{}", free_address());
    let setup = Setup::good().await.set("CLODURA_BASE_URL", closed);
    setup.is_wrong("Clodura gives no balance: no connection").await;
}

#[tokio::test]
async fn a_webhook_address_that_leads_nowhere_or_elsewhere() {
    let closed = format!("http://{}", free_address());
    Setup::good().await.set("WEBHOOK_PUBLIC_URL", closed).is_wrong("can't be reached").await;
    for (status, words) in [
        ("200 OK", "even to a forged request"),
        ("302 Found", "a redirect"),
        ("403 Forbidden", "rejects requests"),
        ("404 Not Found", "404: what answers there is not"),
        ("502 Bad Gateway", "the proxy answers"),
    ] {
        let setup = Setup::good().await.set("WEBHOOK_PUBLIC_URL", answers(status).await);
        setup.is_wrong(words).await;
    }
}

#[tokio::test]
async fn a_webhook_address_that_no_provider_should_get() {
    let setup = Setup::good().await.without("WEBHOOK_PUBLIC_URL");
    setup.is_wrong("Ocean answers by webhook only").await;
    let page = "docs/webhook-address.md";
    assert!(end_to_end::repository().join(page).is_file());
    assert!(String::from_utf8_lossy(&setup.doctor(&[]).await.stdout).contains(page));
    // The name never exists; what matters is the message about the scheme.
    let setup = Setup::good().await.set("WEBHOOK_PUBLIC_URL", "http://hooks.example.invalid");
    let (code, troubles) = setup.troubles().await;
    assert_eq!(code, Some(1));
    assert!(troubles.iter().any(|line| line.contains("is not https")), "{troubles:?}");
}

#[tokio::test]
async fn a_database_that_can_not_be_written() {
    let setup = Setup::good().await.set("DATABASE_URL", "sqlite:///no/such/directory/reveal.db");
    setup.is_wrong("database: there is no directory /no/such/directory").await;
    let setup = Setup::good().await.set("SPOOL_DIR", "spool");
    std::fs::create_dir(setup.directory.path().join("reveal.db")).expect("a directory");
    let file = setup.directory.path().join("reveal.db");
    setup.is_wrong(&format!("database: {} is a directory", file.display())).await;
    setup.set("DATABASE_URL", "mysql://root@localhost/x").is_wrong("is no database").await;
}

#[tokio::test]
async fn a_postgres_that_is_not_there() {
    let closed = free_address();
    let setup =
        Setup::good().await.set("DATABASE_URL", format!("postgres://u:{SECRET}@{closed}/x"));
    setup.is_wrong(&format!("database: nothing listens at {closed}: Connection refused")).await;
}

#[tokio::test]
async fn a_database_of_the_sandbox() {
    let setup = Setup::good().await.set("DATABASE_URL", "sqlite://one.db");
    assert_eq!(setup.doctor(&["--sandbox"]).await.status.code(), Some(0));
    setup.is_wrong("stamped sandbox").await;
}

#[tokio::test]
async fn the_password_of_a_database_is_not_shown() {
    let url = format!("postgres://u:{SECRET}@localhost:port/x");
    Setup::good().await.set("DATABASE_URL", url).is_wrong("database").await;
}

#[tokio::test]
async fn a_spool_that_can_not_be_written() {
    let setup = Setup::good().await.set("SPOOL_DIR", "file/spool");
    std::fs::write(setup.directory.path().join("file"), "").expect("a file");
    setup.is_wrong("spool").await;
}

#[tokio::test]
async fn settings_that_contradict_each_other() {
    let setup = Setup::good().await.set("WEBHOOK_GRACE", "2d");
    setup.is_wrong("WEBHOOK_GRACE (2d) is not less than RESULT_DEADLINE (1d)").await;
}

#[tokio::test]
async fn wrong_usage() {
    let setup = Setup::good().await;
    assert_eq!(setup.doctor(&["--no-such-flag"]).await.status.code(), Some(2));
    let mut command = setup.command(&["--until-idle", "doctor"]);
    assert_eq!(command.output().expect("worker starts").status.code(), Some(2));
}

#[tokio::test]
async fn a_running_worker_answers_for_the_address_that_it_holds() {
    let setup = Setup::good().await.set("ADMIN_ADDR", "127.0.0.1:0");
    let mut running = setup.command(&[]).spawn().expect("worker starts");
    let listen = setup.get("LISTEN_ADDR").to_owned();
    while std::net::TcpStream::connect(&listen).is_err() {
        assert!(running.try_wait().expect("its state").is_none(), "the worker ended");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let output = setup.doctor(&[]).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("a worker on this database took a signed request"), "{text}");
    assert_eq!(output.status.code(), Some(0), "{text}");

    // The same address, and another database than the worker's.
    let setup = setup.set("DATABASE_URL", "sqlite://other.db");
    setup.is_wrong("or a worker on another database").await;
    running.kill().and_then(|()| running.wait()).expect("the worker ends");
}
