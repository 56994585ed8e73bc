//! A socket that the service manager holds: no connection is refused while the worker restarts.

#![allow(clippy::expect_used, reason = "helpers of tests")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Becomes the worker with the socket, which comes as stdin, as file descriptor 3.
const HAND_OVER: &str = r#"LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@" 3<&0 0</dev/null"#;

/// Starts a worker on `socket`, and returns once it is ready.
fn start(socket: &TcpListener, directory: &Path) -> Child {
    let socket = OwnedFd::from(socket.try_clone().expect("the socket once more"));
    let mut worker = Command::new("sh")
        .args(["-c", HAND_OVER, env!("CARGO_BIN_EXE_worker")])
        .args(["--sandbox", "--role=webhooks", "--admin-addr=127.0.0.1:0"])
        // No process can listen here: the address is another machine's.
        .args(["--listen-addr=192.0.2.1:1"])
        .current_dir(directory)
        .env("NO_COLOR", "1")
        .stdin(Stdio::from(socket))
        .stderr(Stdio::piped())
        .spawn()
        .expect("worker starts");
    let stderr = worker.stderr.take().expect("its stderr");
    let mut lines = BufReader::new(stderr).lines();
    let ready = lines.by_ref().map_while(Result::ok).any(|line| line.contains("ready"));
    assert!(ready, "the worker is not ready");
    std::thread::spawn(move || lines.for_each(drop));
    worker
}

fn stop(mut worker: Child) {
    let sent = Command::new("kill").arg(worker.id().to_string()).status().expect("kill runs");
    assert!(sent.success());
    assert_eq!(worker.wait().expect("the worker ends").code(), Some(0));
}

/// Returns the first line of the answer to an unsigned webhook.
fn forged_webhook(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(
        b"POST /webhooks/ocean/x/y HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

#[test]
fn no_request_is_refused_while_the_worker_restarts() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let address = socket.local_addr().expect("its address");
    let first = start(&socket, directory.path());

    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let knocking = scope.spawn(|| {
            let mut answers = Vec::new();
            while !done.load(Ordering::Relaxed) {
                answers.push(forged_webhook(address));
            }
            answers
        });
        stop(first);
        let second = start(&socket, directory.path());
        let answer = forged_webhook(address);
        // Set before any assertion: the scope waits for the thread that knocks.
        done.store(true, Ordering::Relaxed);
        assert_eq!(answer.expect("an answer"), "HTTP/1.1 404 Not Found");
        let answers = knocking.join().expect("the thread ends");
        assert!(!answers.is_empty());
        for answer in answers {
            assert_eq!(answer.expect("an answer"), "HTTP/1.1 404 Not Found");
        }
        stop(second);
    });
}

#[test]
fn what_is_no_socket_is_refused() {
    let output = Command::new("sh")
        .args(["-c", HAND_OVER, env!("CARGO_BIN_EXE_worker"), "--sandbox"])
        .args(["--admin-addr=127.0.0.1:0"])
        .current_dir(tempfile::tempdir().expect("a directory").path())
        .stdin(Stdio::null())
        .output()
        .expect("worker starts");
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("LISTEN_FDS: fd 3"), "{text}");
}
