use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

/// The kernel counts processor time in hundredths of a second (USER_HZ, the same on every Linux).
const TICKS: f64 = 100.0;

/// The resources that a process has used so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    pub cpu_seconds: f64,
    pub peak_mb: f64,
}

/// Returns the resources that a process has used; `None` if it has ended.
pub fn usage(pid: u32) -> Option<Usage> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let megabytes = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kb| kb / 1024.0)
    };
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; the fields behind it are numbers.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |n: usize| fields.get(n).and_then(|field| field.parse::<f64>().ok());
    Some(Usage { cpu_seconds: (ticks(11)? + ticks(12)?) / TICKS, peak_mb: megabytes("VmHWM:")? })
}

/// A program that runs during the measurement, and ends with it.
pub struct Running {
    child: Child,
    pub pid: u32,
    log: PathBuf,
}

impl Running {
    /// Starts a program, and writes its stderr to a file.
    pub fn start(mut command: Command, log: &Path) -> Result<Running> {
        let file = fs::File::create(log)?;
        command.stdin(Stdio::null()).stderr(file).kill_on_drop(true);
        let child = command.spawn().context("a program could not be started")?;
        let pid = child.id().context("a program ended at once")?;
        Ok(Running { child, pid, log: log.to_owned() })
    }

    /// Reads the first line of its output, which must be piped.
    pub async fn first_line(&mut self) -> Result<String> {
        let out = self.child.stdout.take().context("its output is not piped")?;
        let line = BufReader::new(out).lines().next_line().await?;
        line.with_context(|| format!("it ended at once; see {}", self.last_words()))
    }

    pub fn usage(&self) -> Usage {
        usage(self.pid).unwrap_or_default()
    }

    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Returns the end of its log.
    pub fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Asks the program to end, and waits for its end.
    pub async fn stop(mut self) -> Result<()> {
        Command::new("kill").arg(self.pid.to_string()).status().await?;
        let ended = tokio::time::timeout(Duration::from_secs(60), self.child.wait()).await;
        let status = ended.context("it does not end")??;
        ensure!(status.success(), "it ended with {status}: {}", self.last_words());
        Ok(())
    }
}

/// The result of a program that ran to its end.
pub struct Ran {
    pub stdout: String,
    pub seconds: f64,
    pub cpu_seconds: f64,
    pub peak_mb: f64,
}

/// Runs a program to its end.
pub async fn run(mut command: Command) -> Result<Ran> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let started = Instant::now();
    let mut child = command.spawn().context("a program could not be started")?;
    let pid = child.id().context("a program ended at once")?;
    let watching = tokio::spawn(async move {
        let mut seen = Usage::default();
        // The peak only rises, so the last reading has it.
        while let Some(now) = usage(pid) {
            seen = now;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        seen
    });
    let (mut out, mut err) = (String::new(), String::new());
    let mut stdout = child.stdout.take().context("no output")?;
    let mut stderr = child.stderr.take().context("no error output")?;
    let (status, ..) = tokio::try_join!(
        child.wait(),
        stdout.read_to_string(&mut out),
        stderr.read_to_string(&mut err)
    )?;
    let seconds = started.elapsed().as_secs_f64();
    ensure!(status.success(), "a program ended with {status}: {}", err.trim());
    let seen = watching.await?;
    Ok(Ran { stdout: out, seconds, cpu_seconds: seen.cpu_seconds, peak_mb: seen.peak_mb })
}
