//! Closing a SQLite file so that it is complete without a log, and a plain copy of it is a backup.

use std::path::Path;

use crate::sqlite::connection::{Readers, Sqlite};
use crate::sqlite::files::log_of;
use crate::sqlite::wait::wait_a_moment;
use crate::sqlite::writer::Writer;

/// How often the log is looked for after the last connection was closed.
const LOOKS: usize = 5;

/// Reading a few pages needs no more.
const CACHE_KIB: u32 = 64;

/// Closes all connections to the file. SQLite moves the log into it and removes the log when the last one of all
/// processes is closed.
pub(crate) async fn close_sqlite(writer: &Writer, readers: &Readers) {
    readers.close().await;
    let (writer, database) = (writer.clone(), readers.path().to_owned());
    let closed = tokio::task::spawn_blocking(move || {
        writer.close();
        put_log_away(&database);
    });
    // Fails only where the runtime is gone, and with it all connections.
    let _ = closed.await;
}

/// Two processes that close at the same time may each take the other for one that stays, and leave the log. If it is still
/// there, the file is opened once more and closed.
fn put_log_away(database: &Path) {
    let log = log_of(database);
    for _ in 0..LOOKS {
        if !log.exists() {
            return;
        }
        wait_a_moment(2_000..8_000);
        if let Ok(last) = Sqlite::open(database, CACHE_KIB) {
            // A connection that read nothing doesn't know of the log.
            let _ = last.conn.query_row("PRAGMA schema_version", [], |row| row.get::<_, i64>(0));
        }
    }
    tracing::debug!("another process uses the database; the log is left to it");
}
