//! Children: their output is collected, signals reach them by their id, and none outlives its handle.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The output of a process that may still be running.
#[derive(Clone, Default)]
pub struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    /// The output so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("no reader panics")).into_owned()
    }

    fn follow(&self, mut from: impl Read + Send + 'static) -> JoinHandle<()> {
        let to = Arc::clone(&self.0);
        std::thread::spawn(move || {
            let mut chunk = [0; 8192];
            while let Ok(n @ 1..) = from.read(&mut chunk) {
                to.lock().expect("no reader panics").extend_from_slice(&chunk[..n]);
            }
        })
    }
}

/// How a process ended, with its output.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it, if any.
    pub signal: Option<i32>,
    /// All of its stdout.
    pub stdout: String,
    /// All of its stderr.
    pub stderr: String,
}

impl Ended {
    /// Returns itself; panics if the exit code is not `code`.
    pub fn with_code(self, code: i32) -> Self {
        let said = format!("signal {:?}\n{}\n{}", self.signal, self.stdout, self.stderr);
        assert_eq!(self.code, Some(code), "{said}");
        self
    }
}

/// A running child. Dropping it kills it.
pub struct Process {
    child: Child,
    stdout: Output,
    stderr: Output,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts `command`, and writes `input` to it.
    pub fn start(mut command: Command, input: Option<Vec<u8>>) -> Self {
        let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (stdout, stderr) = (Output::default(), Output::default());
        let readers = vec![
            stdout.follow(child.stdout.take().expect("piped")),
            stderr.follow(child.stderr.take().expect("piped")),
        ];
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
            // A child that ends early doesn't read all of it, so errors are ignored.
            std::thread::spawn(move || std::io::Write::write_all(&mut stdin, &input));
        }
        Process { child, stdout, stderr, readers }
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its stderr, which goes on growing.
    pub fn stderr(&self) -> Output {
        self.stderr.clone()
    }

    /// Whether it has ended, and how.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is our child")
    }

    /// Sends it a signal, by the shell's `kill`.
    pub fn signal(&self, name: &str) {
        let done = Command::new("sh")
            .args(["-c", "kill -\"$0\" \"$1\"", name, &self.id().to_string()])
            .status()
            .expect("there is a shell");
        assert!(done.success(), "kill -{name} {}", self.id());
    }

    /// Kills it at once, as a power cut would.
    pub fn kill(&mut self) {
        // Fails only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.finish_reading();
    }

    /// Waits for its end; panics if it takes longer than `within`.
    pub async fn ended(&mut self, within: Duration) -> Ended {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.exit_status() {
                break status;
            }
            assert!(
                started.elapsed() < within,
                "process {} did not end within {within:?}; it said:\n{}",
                self.id(),
                self.stderr.text(),
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        self.finish_reading();
        let (stdout, stderr) = (self.stdout.text(), self.stderr.text());
        Ended { code: status.code(), signal: status.signal(), stdout, stderr }
    }

    fn finish_reading(&mut self) {
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
