use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use super::Cli;

impl Cli {
    /// The files that are left next to the database.
    fn companions(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.folder.path()).unwrap().flatten();
        let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.contains(".db-")).collect()
    }

    fn mode(&self, name: &str) -> u32 {
        self.path(name).metadata().unwrap().permissions().mode() & 0o777
    }
}

/// A plain copy of the file is a backup, whichever command ended last.
#[test]
fn the_ledger_is_one_file_after_every_command() {
    let cli = Cli::new();
    let id = cli.small();
    cli.write("bad.csv", "ocean_person_id\n\"\"\n");
    for arguments in [
        &["status"][..],
        &["export", &id],
        &["export", "nowhere"],
        &["submit", "bad.csv"],
        &["submit", "people-small.csv", "--dry-run"],
        &["pause", "ocean"],
        &["resume", "--batch", &id, "--max-credits", "what=1"],
        &["cancel", &id],
        &["erase", "--person", "nobody"],
        &["migrate"],
    ] {
        cli.run(arguments);
        assert_eq!(cli.companions(), Vec::<String>::new(), "{arguments:?}");
        std::fs::copy(cli.path("reveal.db"), cli.path("copy.db")).unwrap();
        let copy = cli.ok(&["status", "--json", "--database-url", "sqlite://copy.db"]).out;
        assert!(copy.contains(&id), "{arguments:?}: {copy}");
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a thread of its own, which waits for another process"
)]
fn signals_leave_one_file_too() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let cli = Cli::new();
        let mut child = cli
            .command(&["submit", "-", "--format", "csv"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        // Enough to be taken for a table; the end never comes.
        let writing = std::thread::spawn(move || {
            let rows: String = (0..20_000).map(|n| format!("o{n}\n")).collect();
            let _ = input.write_all(format!("ocean_person_id\n{rows}").as_bytes());
            input
        });
        let begun = (0..2_000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(5));
            let running = cli.path("reveal.db-wal");
            running.metadata().is_ok_and(|log| log.len() > 0) && cli.listens(child.id())
        });
        assert!(begun, "the submit has not begun");
        let line = format!("kill -{signal} {}", child.id());
        assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
        let ended = child.wait().unwrap();
        assert_eq!((ended.signal(), ended.code()), (None, Some(code)));
        drop(writing.join());
        assert_eq!(cli.companions(), Vec::<String>::new(), "SIG{signal}");
        assert!(cli.status().is_empty());
    }
}

impl Cli {
    /// Whether the process has handlers for signals: by then it reads its input.
    fn listens(&self, process: u32) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        caught.is_some_and(|mask| mask & (1 << 14) != 0 && mask & (1 << 1) != 0)
    }
}

#[test]
fn what_holds_numbers_is_its_owners_alone() {
    let cli = Cli::new();
    cli.write("people.csv", "ocean_person_id\no1\nbad id\n");
    let shell = |umask: &str, rest: &str| {
        let line = format!("umask {umask} && exec \"$0\" {rest}");
        let mut command = Command::new("sh");
        command.args(["-c", &line, env!("CARGO_BIN_EXE_enqueue")]);
        assert!(command.current_dir(cli.folder.path()).status().unwrap().success(), "{rest}");
    };
    shell("000", "submit people.csv --skip-invalid --name one");
    shell("000", "export one -o out.csv");
    for name in ["reveal.db", "people.rejected.csv", "out.csv"] {
        assert_eq!(cli.mode(name), 0o600, "{name}");
    }
}

#[test]
fn reading_makes_no_database() {
    let cli = Cli::new();
    let place = cli.path("reveal.db").display().to_string();
    for arguments in [
        &["export", "x"][..],
        &["status", "x"],
        &["cancel", "x"],
        &["retry", "x"],
        &["status", "--watch", "x"],
    ] {
        let ran = cli.run(arguments);
        assert!(ran.code == 1 && ran.err.contains(&place), "{arguments:?}: {ran:?}");
        assert!(!cli.path("reveal.db").exists(), "{arguments:?}");
    }
}

#[test]
fn the_sandboxs_database_is_pointed_out() {
    let cli = Cli::new();
    cli.example("people-small.csv");
    cli.ok(&["submit", "people-small.csv", "--database-url", "sqlite://sandbox.db"]);
    let sandbox = cli.path("sandbox.db").display().to_string();
    for missing in [true, false] {
        assert_eq!(cli.path("reveal.db").exists(), !missing);
        assert!(cli.ok(&["status"]).err.contains(&format!("{sandbox} next to it has 1 batch")));
        assert!(cli.run(&["export", "x"]).err.contains(&sandbox));
        assert_eq!(cli.companions(), Vec::<String>::new());
        cli.ok(&["migrate"]);
    }
}

#[test]
fn the_address_may_stand_in_a_file() {
    let cli = Cli::new();
    cli.write("url", "sqlite://other.db\n");
    let ran = cli.command(&["migrate"]).env("DATABASE_URL_FILE", "url").output().unwrap();
    assert!(ran.status.success() && cli.path("other.db").exists(), "{ran:?}");
    let both =
        cli.run(&["migrate", "--database-url-file", "url", "--database-url", "sqlite://x.db"]);
    assert!(both.code == 2 && both.err.contains("both set"), "{both:?}");
    assert_eq!(cli.run(&["migrate", "--database-url-file", "absent"]).code, 2);
}
