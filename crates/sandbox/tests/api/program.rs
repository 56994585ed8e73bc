//! The binary: its address on stdout, its flags, its end.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // The program may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn sandbox(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sandbox"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let output = sandbox(arguments).output().expect("runs");
    assert!(output.stdout.is_empty());
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn it_serves_as_its_flags_say_until_it_is_stopped() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("sandbox.json");
    std::fs::write(&file, r#"{"seed": 5, "ocean": {"several_rate": 0.25, "hit_rate": 0.1}}"#)
        .expect("written");
    let file = file.to_str().expect("text");
    let arguments = [
        "--listen",
        "127.0.0.1:0",
        "--config",
        file,
        "--set",
        "ocean.hit_rate=0.2",
        "--set",
        "clodura.plan=prospect",
        "--seed",
        "9",
        "--result-delay-ms",
        "0-5",
        "--ocean-credits",
        "12",
    ];
    let mut program = Program(sandbox(&arguments).spawn().expect("starts"));
    let mut stdout = BufReader::new(program.0.stdout.take().expect("stdout"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a line");
    let stage = crate::support::Stage::instant().await;
    let config: Value = stage
        .client
        .get(format!("{}/sandbox/config", line.trim()))
        .send()
        .await
        .expect("answered")
        .json()
        .await
        .expect("a configuration");
    assert_eq!(config["seed"], 9);
    assert_eq!(
        (&config["ocean"]["hit_rate"], &config["ocean"]["several_rate"]),
        (&0.2.into(), &0.25.into())
    );
    assert_eq!(
        (&config["ocean"]["recurrent"], &config["ocean"]["one_time"]),
        (&12.into(), &0.into())
    );
    assert_eq!(config["clodura"]["plan"], "prospect");
    assert_eq!(config["clodura"]["result_delay_ms"], serde_json::json!([0, 5]));
    let id = program.0.id().to_string();
    assert!(Command::new("kill").arg(&id).status().expect("kill").success());
    assert_eq!(program.0.wait().expect("ends").code(), Some(0));
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).expect("the rest");
    assert_eq!(rest, "");
}

#[test]
fn wrong_usage_is_explained() {
    for (arguments, word) in [
        (&["--set", "ocean.hit_rate"][..], "PATH=VALUE"),
        (&["--set", "ocean.hit_rat=1"], "hit_rat"),
        (&["--ocean-hit-rate", "2"], "ocean.hit_rate"),
        (&["--config", "/nowhere/at/all.json"], "/nowhere/at/all.json"),
        (&["--result-delay-ms", "soon"], "FROM-TO"),
        (&["--nonsense"], "--nonsense"),
    ] {
        let (code, text) = refused(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {text}");
        assert!(text.contains(word), "{arguments:?}: {text}");
    }
}
