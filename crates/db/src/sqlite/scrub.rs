//! Makes sure that what was deleted is in no byte of a SQLite file or its log.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use aho_corasick::AhoCorasick;

use crate::error::{DbError, Result};
use crate::scrubbed::{Scrubbed, Traces};
use crate::sqlite::connection::Sqlite;
use crate::sqlite::remains::remains;
use crate::sqlite::wait::wait_a_moment;

/// How long other programs' work is waited for, again and again, until the log can be emptied.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a file that others write is waited for before it is packed.
const LOCK_PATIENCE: Duration = Duration::from_secs(20);

const CACHE_KIB: u32 = 8 * 1024;

/// Empties the log, looks for the traces, and packs the file where some are left.
pub(crate) fn scrub(path: &Path, traces: &Traces) -> Result<Scrubbed> {
    let mut sqlite = Sqlite::open(path, CACHE_KIB)?;
    forget_samples(&sqlite)?;
    if !empty_log(&mut sqlite)? {
        return Ok(Scrubbed::InUse);
    }
    let texts = traces.texts();
    let searched = texts.as_ref().map(|texts| remain(path, texts)).transpose()?;
    if searched == Some(false) {
        return Ok(Scrubbed::Clean);
    }
    if let Err(error) = pack(&mut sqlite) {
        return if error.is_locked() { Ok(Scrubbed::InUse) } else { Err(error) };
    }
    Ok(if empty_log(&mut sqlite)? { Scrubbed::Packed } else { Scrubbed::InUse })
}

fn remain(path: &Path, texts: &AhoCorasick) -> Result<bool> {
    // Never closed: closing any handle of a file drops all locks that its process holds on it (POSIX), those of SQLite
    // included.
    let file = File::open(path).map(|file| &*Box::leak(Box::new(file)));
    let found = file.and_then(|file| remains(file, texts));
    found.map_err(|error| DbError::shared(&format!("the file can't be searched: {error}")))
}

/// Has the log moved into the file and cut to nothing. Others may read or write at the moment.
fn empty_log(sqlite: &mut Sqlite) -> Result<bool> {
    let started = Instant::now();
    loop {
        let busy = {
            let _lock = sqlite.write_lock.wait();
            sqlite.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
        };
        match busy.map_err(DbError::from) {
            Ok(0) => return Ok(true),
            Err(error) if !error.is_locked() => return Err(error),
            _ if started.elapsed() > PATIENCE => return Ok(false),
            _ => wait_a_moment(2_000..8_000),
        }
    }
}

/// Rewrites the file, without what is unused. No other process can write meanwhile.
fn pack(sqlite: &mut Sqlite) -> Result<()> {
    let _lock = sqlite.write_lock.wait();
    sqlite.conn.busy_timeout(LOCK_PATIENCE)?;
    // As large as the database, so not in memory.
    let packed = sqlite.conn.execute_batch("PRAGMA temp_store = FILE; VACUUM");
    sqlite.conn.busy_timeout(Duration::ZERO)?;
    Ok(packed?)
}

/// An `ANALYZE` by hand leaves samples of what indexes hold. No plan of ours needs them.
fn forget_samples(sqlite: &Sqlite) -> Result<()> {
    let kept = "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'sqlite_stat4'";
    let kept: i64 = sqlite.conn.query_row(kept, [], |row| row.get(0))?;
    if kept > 0 {
        sqlite.conn.busy_timeout(LOCK_PATIENCE)?;
        sqlite.conn.execute("DELETE FROM sqlite_stat4", [])?;
        sqlite.conn.busy_timeout(Duration::ZERO)?;
    }
    Ok(())
}
