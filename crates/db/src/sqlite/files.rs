//! The files of a SQLite database.

use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

/// The file of the log next to a database.
pub(crate) fn log_of(database: &Path) -> PathBuf {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

/// The absolute path of the file that a URL names. A database in memory would forget what was paid for.
pub fn sqlite_file(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    let path = percent_decoded(path.split('?').next()?)?;
    let named = !path.is_empty() && path != ":memory:" && !url.contains("mode=memory");
    named.then(|| std::path::absolute(path).ok()).flatten()
}

/// The files of a database: its own, and those that SQLite keeps next to it.
#[must_use]
pub fn sqlite_companions(file: &Path) -> [PathBuf; 4] {
    ["", "-wal", "-shm", "-journal"].map(|ending| {
        let mut name = file.as_os_str().to_owned();
        name.push(ending);
        name.into()
    })
}

/// The path without its percent-encoding ([RFC 3986](https://www.rfc-editor.org/rfc/rfc3986#section-2.1)).
pub(super) fn percent_decoded(path: &str) -> Option<String> {
    percent_decode_str(path).decode_utf8().ok().map(Into::into)
}
