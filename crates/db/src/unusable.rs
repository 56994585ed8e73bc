//! What is wrong with a database that can't be opened, and what to do about it. The drivers' messages name neither file nor
//! host.

use std::io::ErrorKind;
use std::path::Path;

use rustix::fs::{Access, access};
use sqlx::migrate::MigrateError;
use sqlx::postgres::PgConnectOptions;

use crate::error::{DEADLOCK_DETECTED, DbError, words};

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
const INSUFFICIENT_PRIVILEGE: &str = "42501";

const INVALID_CATALOG_NAME: &str = "3D000";

const INVALID_AUTHORIZATION: &str = "28000";

const INVALID_PASSWORD: &str = "28P01";

const TOO_MANY_CONNECTIONS: &str = "53300";

const PROTOCOL_VIOLATION: &str = "08P01";

const CANNOT_CONNECT_NOW: &str = "57P03";

const LOCK_NOT_AVAILABLE: &str = "55P03";

/// Says of a SQLite file, looked at from the outside, why it can't be used. `error` is SQLite's own word.
pub(crate) fn sqlite(file: &Path, error: DbError) -> DbError {
    if let DbError::Migrate(error) = &error
        && let Some(refused) = other_version(&file.display().to_string(), error)
    {
        return refused;
    }
    if !matches!(&error, DbError::Failed(_)) {
        return error;
    }
    let directory = file.parent().unwrap_or(Path::new("/"));
    let (shown, file_shown) = (directory.display(), file.display());
    let whole = |path: &Path| access(path, Access::READ_OK | Access::WRITE_OK).is_ok();
    let (found, advice) = if !directory.is_dir() {
        (
            format!("there is no directory {shown}"),
            format!("mkdir -p {shown}, owned by the user of this program; or correct DATABASE_URL"),
        )
    } else if file.is_dir() {
        (format!("{file_shown} is a directory"), "name a file in DATABASE_URL".to_owned())
    } else if !whole(directory) || access(directory, Access::EXEC_OK).is_err() {
        (
            format!("this user can't write to the directory {shown}"),
            format!(
                "let the user of this program own {shown}: SQLite keeps files next to the database, so a writable file is not enough"
            ),
        )
    } else if file.exists() && !whole(file) {
        (
            format!("this user can't read and write {file_shown}"),
            format!(
                "let the user of this program own {file_shown}, and {file_shown}-wal and -shm next to it"
            ),
        )
    } else if error.is_locked() {
        (
            format!("{file_shown} can't be used: {}", error.words()),
            "let the process that keeps it locked go on or end (lslocks shows it)".to_owned(),
        )
    } else if error.words().contains("is full") {
        (
            format!("{file_shown} can't be used: {}", error.words()),
            format!("make room on the disk of {shown}"),
        )
    } else {
        (
            format!("{file_shown} can't be used: {}", error.words()),
            format!(
                "see that {file_shown} is a database of this software and that its disk is sound; else restore a backup"
            ),
        )
    };
    DbError::Unusable { found, advice }
}

/// What a Postgres server is called in messages: as much of its address as is no secret.
pub(crate) fn place(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or(options.get_username());
    format!("postgres://{}@{}/{database}", options.get_username(), server(options))
}

fn server(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}

/// Whether the server is about to be there.
pub(crate) fn is_starting(error: &sqlx::Error) -> bool {
    code_of(error).as_deref() == Some(CANNOT_CONNECT_NOW)
}

/// Says why a Postgres server can't be used.
pub(crate) fn postgres(options: &PgConnectOptions, error: &sqlx::Error) -> DbError {
    let (server, user) = (server(options), options.get_username());
    let database = options.get_database().unwrap_or(user);
    let words = words(error);
    let code = code_of(error);
    let (found, advice) = match (code.as_deref(), error) {
        (Some(INVALID_CATALOG_NAME), _) => (
            format!("there is no database {database:?} at {server}"),
            format!(
                "make it (createdb --owner={user} {database}), or correct the name in DATABASE_URL"
            ),
        ),
        (Some(INVALID_PASSWORD | INVALID_AUTHORIZATION), _) => (
            format!("Postgres at {server} refuses the user {user:?}: {words}"),
            "correct user and password in DATABASE_URL (letters such as @ / # are written %40 %2F %23 there), or let \
             Postgres take that user in pg_hba.conf"
                .to_owned(),
        ),
        (Some(INSUFFICIENT_PRIVILEGE), _) => (
            format!("the role {user:?} lacks a right in the database {database:?} at {server}: {words}"),
            missing_right(user),
        ),
        (Some(TOO_MANY_CONNECTIONS), _) => (
            format!("Postgres at {server} has no connection left: {words}"),
            "raise its max_connections, or run fewer programs on it".to_owned(),
        ),
        (Some(PROTOCOL_VIOLATION), _) if words.contains("startup parameter") => (
            format!("PgBouncer at {server} refuses a setting of the connection: {words}"),
            "take options out of DATABASE_URL, or name the database's own address there".to_owned(),
        ),
        (None, sqlx::Error::Io(io)) => (
            match io.kind() {
                ErrorKind::ConnectionRefused => format!("nothing listens at {server}: {words}"),
                _ => format!("no answer from Postgres at {server}: {words}"),
            },
            "start it, or correct host and port in DATABASE_URL; see its listen_addresses, and firewalls on the way"
                .to_owned(),
        ),
        (None, sqlx::Error::Tls(_)) => (
            format!("no TLS with Postgres at {server}: {words}"),
            "see sslmode and sslrootcert in DATABASE_URL, and that the server's certificate is for this host"
                .to_owned(),
        ),
        _ => (
            format!("Postgres at {server} can't be used: {words}"),
            "see that DATABASE_URL is right and the server is in order".to_owned(),
        ),
    };
    DbError::Unusable { found, advice }
}

/// Says that a pooler gives the server's sessions to one connection after the other.
pub(crate) fn shared_sessions(options: &PgConnectOptions) -> DbError {
    DbError::Unusable {
        found: format!(
            "a pooler such as PgBouncer at {} gives a session to another connection after each transaction, and this \
             program needs sessions of its own, for notifications, settings and prepared statements",
            server(options)
        ),
        advice: "set pool_mode = session for this database in PgBouncer, or name the database's own address in \
                 DATABASE_URL"
            .to_owned(),
    }
}

/// Says that a pooler gives this program too few of the server's sessions.
pub(crate) fn no_second_session(options: &PgConnectOptions) -> DbError {
    DbError::Unusable {
        found: format!(
            "{} takes a connection, and gives it no session or no second one",
            server(options)
        ),
        advice:
            "if it is PgBouncer, raise its default_pool_size: each process of this software has up to 19 connections"
                .to_owned(),
    }
}

/// Says why the schema of a Postgres database can't be brought up to date.
pub(crate) fn postgres_schema(options: &PgConnectOptions, error: MigrateError) -> DbError {
    if let Some(refused) = other_version(&place(options), &error) {
        return refused;
    }
    match &error {
        MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _)
            if code_of(cause).as_deref() == Some(INSUFFICIENT_PRIVILEGE) =>
        {
            let user = options.get_username();
            DbError::Unusable {
                found: format!(
                    "the role {user:?} may not change the schema of {}: {}",
                    place(options),
                    words(cause)
                ),
                advice: missing_right(user),
            }
        }
        error if is_in_use(error) => DbError::Unusable {
            found: format!("the tables of {} are in use for too long", place(options)),
            advice: "end long transactions (pg_stat_activity shows them), then start again"
                .to_owned(),
        },
        _ => DbError::Migrate(error),
    }
}

/// Whether a migration met other processes' locks.
pub(crate) fn is_in_use(error: &MigrateError) -> bool {
    let (MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _)) = error else {
        return false;
    };
    code_of(cause).is_some_and(|code| code == LOCK_NOT_AVAILABLE || code == DEADLOCK_DETECTED)
}

/// Says that another version of the software made the schema.
fn other_version(place: &str, error: &MigrateError) -> Option<DbError> {
    let (found, advice) = match error {
        MigrateError::VersionMissing(migration) => (
            format!("{place} has the schema of a newer version (migration {migration})"),
            "use the programs of that version; or restore a backup from before the upgrade",
        ),
        MigrateError::VersionMismatch(migration) => (
            format!(
                "{place} was made by another build, whose migration {migration} differs from this one's"
            ),
            "use the programs of that build, or another database",
        ),
        _ => return None,
    };
    Some(DbError::Unusable { found, advice: advice.to_owned() })
}

fn missing_right(role: &str) -> String {
    format!(
        "let {role:?} own the database; or run enqueue migrate as its owner, grant {role:?} what is in it, and start this \
         program with --no-migrate"
    )
}

fn code_of(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Failure;

    #[test]
    fn names_the_directory_that_is_missing() {
        let error = DbError::Failed(Failure::Closed);
        let error = sqlite(Path::new("/nowhere/at/all/people.db"), error).to_string();
        assert!(error.starts_with("there is no directory /nowhere/at/all; mkdir -p "), "{error}");
    }
}
