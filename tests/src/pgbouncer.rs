//! A PgBouncer in front of the tests' Postgres.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::{Process, eventually, free_port};

/// A PgBouncer that ends when this is dropped.
pub struct PgBouncer {
    port: u16,
    base: String,
    process: Process,
    _directory: TempDir,
}

impl PgBouncer {
    /// Starts a PgBouncer in front of the server of `database_url`, with this `pool_mode` and at most `sessions` server
    /// connections.
    pub async fn start(database_url: &str, pool_mode: &str, sessions: u32) -> PgBouncer {
        let rest = database_url.strip_prefix("postgres://").expect("a database of Postgres");
        let (login, place) = rest.split_once('@').expect("a user");
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let (server, _) = place.split_once('/').expect("a name");
        let (host, server_port) = server.split_once(':').unwrap_or((server, "5432"));
        // PgBouncer would send an empty password, which is wrong.
        let password = match password {
            "" => String::new(),
            password => format!(" password={password}"),
        };
        let directory = tempfile::tempdir().expect("a directory");
        let (port, file) = (free_port(), directory.path().join("pgbouncer.ini"));
        let text = format!(
            "[databases]\n* = host={host} port={server_port} user={user}{password}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = {pool_mode}\ndefault_pool_size = {sessions}\n"
        );
        std::fs::write(&file, text).expect("a file");
        // PgBouncer refuses to run as root, and its user must be able to read the file.
        let readable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(directory.path(), readable).expect("a directory of ours");
        let process = Process::start(command(&file), None);
        let bouncer =
            PgBouncer { port, base: format!("postgres://{user}"), process, _directory: directory };
        eventually("PgBouncer listens", || async move {
            TcpStream::connect(("127.0.0.1", port)).await.ok().map(drop)
        })
        .await;
        bouncer
    }

    /// The URL of the same database through this PgBouncer.
    pub fn url(&self, database_url: &str) -> String {
        let (_, name) = database_url.rsplit_once('/').expect("a name");
        format!("{}@127.0.0.1:{}/{name}", self.base, self.port)
    }

    /// Stops the process.
    pub async fn stop(mut self) {
        self.process.signal("TERM");
        self.process.ended(Duration::from_secs(10)).await;
    }
}

fn command(file: &Path) -> Command {
    let installed = PathBuf::from("/usr/sbin/pgbouncer");
    assert!(
        installed.exists(),
        "there is no {}: scripts/need {0}=pgbouncer (scripts/test does)",
        installed.display()
    );
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(installed);
        command
    } else {
        Command::new(installed)
    };
    command.arg(file);
    command
}

/// Whether this process runs as root.
fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| {
        use std::os::unix::fs::MetadataExt;
        own.uid() == 0
    })
}
