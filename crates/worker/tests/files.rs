//! What the real binary leaves on the disk, and what it says about files and addresses.

#![allow(clippy::expect_used, reason = "helpers of tests")]

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

fn worker(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
    command.args(arguments).current_dir(folder).env_clear().env("NO_COLOR", "1");
    command.args(["--listen-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"]);
    command.stdin(Stdio::null());
    command
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    worker(folder, arguments).output().expect("it runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn companions(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).expect("a folder").flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.contains(".db-")).collect()
}

#[test]
fn every_end_leaves_one_private_file() {
    let folder = folder();
    let path = folder.path();
    assert!(run(path, &["--sandbox", "--until-idle"]).status.success());
    assert_eq!(companions(path), Vec::<String>::new(), "done");
    let mode = path.join("sandbox.db").metadata().expect("the database").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let refused = run(path, &["--database-url", "sqlite://sandbox.db"]);
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(companions(path), Vec::<String>::new(), "refused");

    assert_eq!(doctor(path, &["--sandbox"]).status.code(), Some(0));
    assert_eq!(companions(path), Vec::<String>::new(), "examined");

    for signal in ["TERM", "INT"] {
        let mut child = worker(path, &["--sandbox"]);
        let mut child = child.stderr(Stdio::piped()).spawn().expect("it starts");
        let mut lines =
            std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().expect("piped")));
        assert!(lines.any(|line| line.is_ok_and(|line| line.contains("ready"))));
        let kill = format!("kill -{signal} {}", child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
        lines.for_each(drop);
        assert!(child.wait().expect("our child").success(), "{signal}");
        assert_eq!(companions(path), Vec::<String>::new(), "{signal}");
    }
}

fn doctor(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
    command.arg("doctor").args(arguments).current_dir(folder).env_clear();
    command.env("LISTEN_ADDR", "127.0.0.1:0").env("ADMIN_ADDR", "127.0.0.1:0");
    command.output().expect("it runs")
}

#[test]
fn the_doctor_names_files_that_others_can_read() {
    let folder = folder();
    assert!(doctor(folder.path(), &["--sandbox"]).status.success());
    let database = folder.path().join("sandbox.db");
    std::fs::set_permissions(&database, std::fs::Permissions::from_mode(0o644)).expect("ours");
    let found = String::from_utf8(doctor(folder.path(), &["--sandbox"]).stdout).expect("text");
    assert!(found.contains(&format!("chmod go= {}", database.display())), "{found}");
}

#[test]
fn addresses_say_what_form_they_have() {
    let folder = folder();
    for (name, value, example) in [
        ("WEBHOOK_PUBLIC_URL", "hooks.example.com", "https://hooks.example.com"),
        ("WEBHOOK_PUBLIC_URL", "hooks.example.com:443", "https://hooks.example.com"),
        ("OCEAN_BASE_URL", "api.ocean.io", "https://"),
    ] {
        let output = worker(folder.path(), &[]).env(name, value).output().expect("it runs");
        assert_eq!(output.status.code(), Some(2));
        assert!(said(&output).contains(example), "{}", said(&output));
    }
    let mut listening = Command::new(env!("CARGO_BIN_EXE_worker"));
    let output = listening.current_dir(folder.path()).env("LISTEN_ADDR", "localhost:8787").output();
    assert!(said(&output.expect("it runs")).contains("127.0.0.1:8787"));
}

#[test]
fn what_is_wrong_with_a_database_is_said_once_and_at_once() {
    let folder = folder();
    let gone = run(folder.path(), &["--database-url", "sqlite://absent/reveal.db"]);
    let absent = folder.path().join("absent");
    assert_eq!(gone.status.code(), Some(1));
    let wanted = format!("there is no directory {}", absent.display());
    assert_eq!(said(&gone).matches(&wanted).count(), 1, "{}", said(&gone));
    let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port");
    let started = Instant::now();
    let url = format!("postgres://me:geheim@{free}/x");
    let refused = said(&run(folder.path(), &["--database-url", &url]));
    assert!(refused.contains(&format!("nothing listens at {free}")), "{refused}");
    assert!(!refused.contains("geheim") && started.elapsed() < Duration::from_secs(5), "{refused}");
}

#[test]
fn keys_may_stand_in_files() {
    let folder = folder();
    let key = folder.path().join("key");
    std::fs::write(&key, "a-key\n").expect("a file");
    let path = key.to_str().expect("text");
    let idle = ["--until-idle", "--ocean-api-token-file", path];
    let ran = run(folder.path(), &idle);
    assert!(!said(&ran).contains("OCEAN_API_TOKEN is not set"), "{}", said(&ran));
    assert!(!said(&ran).contains("a-key"));
    let twice = worker(folder.path(), &idle).env("OCEAN_API_TOKEN", "x").output().expect("it runs");
    assert!(
        twice.status.code() == Some(2) && said(&twice).contains("both set"),
        "{}",
        said(&twice)
    );
    let missing = run(folder.path(), &["--clodura-api-key-file", "absent"]);
    assert_eq!(missing.status.code(), Some(2));
}
