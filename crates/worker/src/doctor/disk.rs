use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jobs::CallId;
use store::{sqlite_companions, sqlite_file};

use super::report::Check;
use crate::config::Config;
use crate::spool;

const MIB: u64 = 1024 * 1024;
/// Less than that is gone within one large batch.
const TOO_LITTLE: u64 = 100 * MIB;
/// Less than that is worth a warning.
const LITTLE: u64 = 1024 * MIB;

/// Checks that the spool can be written to, and that database and spool have room to grow.
pub(super) fn check(config: &Config) -> Vec<Check> {
    let mut found = vec![spool(&config.spool_dir)];
    found.extend(private(config));
    let mut places = vec![("SPOOL_DIR", existing(&config.spool_dir))];
    places
        .extend(sqlite_directory(config.database()).map(|path| ("DATABASE_URL", existing(&path))));
    found.extend(places.into_iter().filter_map(|(name, path)| {
        let stat = rustix::fs::statvfs(&path).ok()?;
        Some(room(name, stat.f_bavail.saturating_mul(stat.f_frsize)))
    }));
    found
}

/// Writes a file as a spooled webhook would be written, and removes it.
fn spool(directory: &Path) -> Check {
    const NAME: &str = "spool";
    let made = !directory.exists();
    if let Err(error) = write_and_remove(directory) {
        return Check::wrong(
            NAME,
            format!("{} can't be written to: {error}", directory.display()),
            "set SPOOL_DIR to a directory of this user: webhooks are kept there while the database is away",
        );
    }
    if made {
        // The directory is made again when it is needed.
        let _ = std::fs::remove_dir(directory);
    }
    let count = |ending: &str| {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        entries.filter(|e| e.path().extension().is_some_and(|found| found == ending)).count()
    };
    let (waiting, unreadable) = (count("json"), count("unreadable"));
    if unreadable > 0 {
        return Check::warning(
            NAME,
            format!(
                "{unreadable} spooled webhooks could not be read and were set aside as *.unreadable"
            ),
            "look at them: each holds results that were paid for",
        );
    }
    match waiting {
        0 => Check::ok(NAME, "writable and empty"),
        n => Check::ok(NAME, format!("writable; {n} webhooks wait for a worker to take them in")),
    }
}

fn write_and_remove(directory: &Path) -> io::Result<()> {
    spool::create(directory)?;
    let path = directory.join(format!("{}.doctor", CallId::generate()));
    let written = std::fs::File::create(&path).and_then(|file| file.sync_all());
    let _ = std::fs::remove_file(&path);
    written
}

/// Files with people's numbers or with secrets that other users of the machine can read. An earlier version or a
/// careless hand left them so.
fn private(config: &Config) -> Vec<Check> {
    let database = sqlite_file(config.database()).map(|file| sqlite_companions(&file));
    let secrets = [
        &config.database_url_file,
        &config.ocean_api_token_file,
        &config.clodura_api_key_file,
        &config.admin_token_file,
    ];
    let secrets = secrets.into_iter().flatten().map(|secret| secret.path().to_owned());
    let tokens = config.admin_tokens_file.as_ref().map(|tokens| tokens.path().to_owned());
    let secrets = secrets.chain(tokens);
    let files = database.into_iter().flatten().chain([config.spool_dir.clone()]).chain(secrets);
    let open = files.filter(|path| path.metadata().is_ok_and(|file| file.mode() & 0o077 != 0));
    let open: Vec<String> = open.map(|path| path.display().to_string()).collect();
    if open.is_empty() {
        return Vec::new();
    }
    let files = open.join(" ");
    let message = format!("others on this machine can use {files}");
    vec![Check::warning("files", message, format!("chmod go= {files}"))]
}

fn room(name: &str, bytes: u64) -> Check {
    const NAME: &str = "disk";
    let message = format!("{} MiB free where {name} is", bytes / MIB);
    match bytes {
        ..TOO_LITTLE => Check::wrong(NAME, message, "make room before anything is sent"),
        TOO_LITTLE..LITTLE => Check::warning(NAME, message, "make room soon"),
        _ => Check::ok(NAME, message),
    }
}

/// The directory of a SQLite database.
fn sqlite_directory(url: &str) -> Option<PathBuf> {
    let path = sqlite_file(url)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    Some(parent.unwrap_or(Path::new(".")).to_owned())
}

/// The path, or the nearest directory above it that exists.
fn existing(path: &Path) -> PathBuf {
    path.ancestors()
        .find(|path| !path.as_os_str().is_empty() && path.exists())
        .unwrap_or(Path::new("."))
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::report::Status;
    use super::*;

    #[test]
    fn little_room_is_said_and_too_little_is_wrong() {
        assert_eq!(room("X", 0).status, Status::Wrong);
        assert_eq!(room("X", 500 * MIB).status, Status::Warning);
        assert_eq!(room("X", 5000 * MIB).status, Status::Ok);
    }

    #[test]
    fn finds_the_directory_of_a_database() {
        let directory = |url| sqlite_directory(url).map(|path| path.display().to_string());
        let here = std::env::current_dir().unwrap().display().to_string();
        assert_eq!(directory("sqlite://reveal.db"), Some(here));
        assert_eq!(directory("sqlite:///srv/x/reveal.db?mode=rwc").as_deref(), Some("/srv/x"));
        assert_eq!(directory("postgres://localhost/x"), None);
    }
}
