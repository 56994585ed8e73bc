//! The real binary on SQLite: what it prints where, its exit codes, and what it leaves behind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

#[path = "cli/audit.rs"]
mod audit;
#[path = "cli/export.rs"]
mod export;
#[path = "cli/files.rs"]
mod files;
#[path = "cli/forget.rs"]
mod forget;
#[path = "cli/manage.rs"]
mod manage;
#[path = "cli/status.rs"]
mod status;
#[path = "cli/submit.rs"]
mod submit;
#[path = "cli/usage.rs"]
mod usage;

/// A folder with a database that commands use.
struct Cli {
    folder: TempDir,
}

/// The result of a command.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Cli {
    fn new() -> Self {
        Cli { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&std::fs::read(self.path(name)).unwrap()).into_owned()
    }

    /// Copies a file of examples/.
    fn example(&self, name: &str) {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
        std::fs::copy(examples.join(name), self.path(name)).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_enqueue"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars() {
            let prefixes =
                ["OCEAN_", "CLODURA_", "DATABASE_", "RUST_LOG", "LOG_FORMAT", "NO_COLOR"];
            if prefixes.iter().any(|prefix| name.starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        command
    }

    /// Runs a command on the default database of this folder.
    fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a command that must succeed.
    fn ok(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
        ran
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ok(arguments).out).unwrap()
    }

    /// Submits the small example. Returns the batch's id.
    fn small(&self) -> String {
        self.example("people-small.csv");
        self.ok(&["submit", "people-small.csv"]).out.trim().to_owned()
    }

    fn status(&self) -> Vec<Value> {
        self.json(&["status", "--json"]).as_array().unwrap().clone()
    }
}
