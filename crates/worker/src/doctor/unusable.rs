//! A database that can't be used: a closer look than its driver's words allow, since those name neither file nor host.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, access};
use tokio::net::TcpStream;
use url::Url;

/// How long a host may take to say whether anything listens there.
const PATIENCE: Duration = Duration::from_secs(3);
/// Where Postgres listens.
const PORT: u16 = 5432;

/// What was found, if it is more than the driver said, and what to do.
pub(super) struct Closer {
    pub(super) found: Option<String>,
    pub(super) mend: String,
}

/// The file of a SQLite URL.
pub(super) fn sqlite_file(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite://").or(url.strip_prefix("sqlite:"))?;
    Some(PathBuf::from(path.split('?').next()?))
}

/// Directory and file, from the outside.
pub(super) fn sqlite(file: &Path) -> Closer {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = parent.unwrap_or(Path::new("."));
    let (shown, file_shown) = (directory.display(), file.display());
    let whole = |path: &Path| access(path, Access::READ_OK | Access::WRITE_OK).is_ok();
    if !directory.is_dir() {
        return Closer {
            found: Some(format!("there is no directory {shown}")),
            mend: format!(
                "mkdir -p {shown}, and let the worker's user own it; or mend DATABASE_URL"
            ),
        };
    }
    if file.is_dir() {
        return Closer {
            found: Some(format!("{file_shown} is a directory")),
            mend: "name a file in DATABASE_URL".to_owned(),
        };
    }
    if !whole(directory) || access(directory, Access::EXEC_OK).is_err() {
        return Closer {
            found: Some(format!("this user can't write to the directory {shown}")),
            mend: format!(
                "let the worker's user own {shown}: SQLite keeps files beside the database, so a writable file is not enough"
            ),
        };
    }
    if file.exists() && !whole(file) {
        return Closer {
            found: Some(format!("this user can't write to {file_shown}")),
            mend: format!(
                "let the worker's user own {file_shown}, and {file_shown}-wal and -shm beside it"
            ),
        };
    }
    Closer {
        found: None,
        mend: format!(
            "see that {file_shown} is a database of this software and that its disk is sound and has room; else restore a backup"
        ),
    }
}

/// Whether anything listens there; if so, what its words mean.
pub(super) async fn postgres(url: &str, words: &str) -> Closer {
    if let Some(silent) = nobody_listens(url).await {
        return Closer {
            found: Some(silent),
            mend: "start Postgres, or mend host and port in DATABASE_URL; see its listen_addresses, and firewalls on the way".to_owned(),
        };
    }
    let mend = if words.contains("does not exist") && words.contains("database \"") {
        "createdb that database, owned by the user in DATABASE_URL; or mend the name"
    } else if words.contains("password") || words.contains("role \"") || words.contains("pg_hba") {
        "mend user and password in DATABASE_URL (letters such as @ / # are written %40 %2F %23 there), or let Postgres take that user in pg_hba.conf"
    } else if words.contains("permission denied") {
        "let the user in DATABASE_URL own the database, or grant it what is in it"
    } else {
        "start Postgres, and mend host, name, user and password in DATABASE_URL; the user has to own the schema"
    };
    Closer { found: None, mend: mend.to_owned() }
}

/// Why nothing is heard at the host and port of `url`; nothing if somebody is there, or if it names a socket.
async fn nobody_listens(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let host = url.host_str().filter(|host| !host.is_empty() && !host.starts_with("%2F"))?;
    let (name, port) = (host.trim_matches(['[', ']']).to_owned(), url.port().unwrap_or(PORT));
    let place = format!("{host}:{port}");
    let resolved = tokio::task::spawn_blocking(move || {
        (name.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<SocketAddr>>)
    });
    let addresses = match resolved.await.ok()? {
        Ok(addresses) => addresses,
        Err(error) => return Some(format!("no host {host}: {error}")),
    };
    match tokio::time::timeout(PATIENCE, TcpStream::connect(addresses.as_slice())).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(format!("nothing listens at {place}: {error}")),
        Err(_) => Some(format!("nothing answers at {place} within {PATIENCE:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_directory_that_is_missing() {
        let closer = sqlite(Path::new("/nowhere/at/all/reveal.db"));
        assert_eq!(closer.found.as_deref(), Some("there is no directory /nowhere/at/all"));
        assert!(closer.mend.starts_with("mkdir -p /nowhere/at/all"));
    }

    #[test]
    fn finds_the_file_in_a_url() {
        let file = |url| sqlite_file(url).map(|path| path.display().to_string());
        assert_eq!(file("sqlite:///srv/x/reveal.db?mode=rwc").as_deref(), Some("/srv/x/reveal.db"));
        assert_eq!(file("postgres://localhost/x"), None);
    }

    #[tokio::test]
    async fn tells_a_silent_host_from_a_wrong_password() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let place = listener.local_addr().unwrap();
        let url = format!("postgres://reveal:secret@{place}/reveal");
        let closer = postgres(&url, "password authentication failed").await;
        assert!(closer.found.is_none() && closer.mend.contains("user and password"));
        drop(listener);
        let found = postgres(&url, "pool timed out").await.found.unwrap();
        assert!(found.starts_with(&format!("nothing listens at {place}: ")), "{found}");
    }
}
