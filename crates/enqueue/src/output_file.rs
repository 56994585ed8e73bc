//! The file that an export writes. It appears under its name once it is whole, only its owner can read it, and it
//! never replaces a file that is still needed.

use std::fs::{Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use store::{Store, sqlite_companions};
use tempfile::NamedTempFile;

use crate::failure::Failure;

/// Other names of standard output.
const STDOUT: [&str; 3] = ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];

/// Where the rows go.
pub enum Output {
    /// Standard output.
    Stdout,
    /// A device or a pipe, into which the rows are written directly.
    Stream(Box<dyn Write + Send>),
    /// A file that takes its name once it is whole.
    File(Pending),
}

/// A file that is being written.
pub struct Pending {
    file: NamedTempFile,
    path: PathBuf,
    force: bool,
}

impl Output {
    /// Opens what `path` names. No file is replaced unless `force` says so; the ledger and the files that batches
    /// came from are never replaced.
    pub async fn open(store: &Store, path: Option<&Path>, force: bool) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Output::Stdout) };
        if STDOUT.iter().any(|name| path == Path::new(name)) {
            return Ok(Output::Stdout);
        }
        let failed = |error: io::Error| failed(path, &error);
        let there = match path.metadata() {
            Ok(there) => Some(there),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        if there.as_ref().is_some_and(Metadata::is_dir) {
            return Err(Failure::Usage(format!("{} is a folder; name a file", path.display())));
        }
        if there.as_ref().is_some_and(is_stream) || is_descriptor(path) {
            let opened = OpenOptions::new().append(true).open(path).map_err(failed)?;
            return Ok(Output::Stream(Box::new(opened)));
        }
        // A link is followed: otherwise the link would be replaced and not its file.
        let target =
            if there.is_some() { path.canonicalize().map_err(failed)? } else { path.to_owned() };
        keep_what_is_needed(store, path, &target).await?;
        if there.is_some() && !force {
            return Err(Failure::Usage(taken(path)));
        }
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        // The file has mode 0600.
        let file =
            tempfile::Builder::new().prefix(".export-").tempfile_in(folder).map_err(failed)?;
        Ok(Output::File(Pending { file, path: target, force }))
    }
}

impl Pending {
    /// The file as far as it is written.
    pub fn file(&self) -> &std::fs::File {
        self.file.as_file()
    }

    /// The path that the file will have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its name, once its content is on the disk.
    pub fn finish(self) -> Result<(), Failure> {
        let Pending { file, path, force } = self;
        file.as_file().sync_all().map_err(|error| failed(&path, &error))?;
        let named = if force { file.persist(&path) } else { file.persist_noclobber(&path) };
        match named {
            Ok(_) => Ok(()),
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
                Err(Failure::Usage(taken(&path)))
            }
            Err(error) => Err(failed(&path, &error.error)),
        }
    }
}

/// An error of this file.
pub fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::Failed(format!("{}: {error}", path.display()))
}

fn taken(path: &Path) -> String {
    format!(
        "{} exists; name another file, or replace it by --force; nothing was written",
        path.display()
    )
}

/// Refuses to replace, even by force, the ledger with its companions and the files that batches were submitted from.
async fn keep_what_is_needed(store: &Store, given: &Path, target: &Path) -> Result<(), Failure> {
    let whole = std::path::absolute(target).map_err(|error| failed(given, &error))?;
    let whole = match (whole.parent().map(Path::canonicalize), whole.file_name()) {
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        _ => whole,
    };
    let ledger = Path::new(store.place());
    let is_ledger = !store.is_postgres()
        && sqlite_companions(&ledger.canonicalize().unwrap_or(ledger.into())).contains(&whole);
    if is_ledger {
        return Err(Failure::Usage(format!(
            "{} is the database; name another file",
            given.display()
        )));
    }
    if store.batches().sources().await?.contains(whole.to_string_lossy().as_ref()) {
        return Err(Failure::Usage(format!(
            "{} was submitted, so it is not replaced; name another file",
            given.display()
        )));
    }
    Ok(())
}

fn is_stream(there: &Metadata) -> bool {
    let kind = there.file_type();
    kind.is_char_device() || kind.is_block_device() || kind.is_fifo() || kind.is_socket()
}

/// Whether a path means a descriptor of this process, which may be a file of another name.
fn is_descriptor(path: &Path) -> bool {
    path == Path::new("/dev/stderr")
        || path.starts_with("/dev/fd")
        || path.starts_with("/proc/self/fd")
}
