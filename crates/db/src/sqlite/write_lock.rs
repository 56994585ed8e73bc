//! A fair lock for writing, among the processes that share a SQLite file. SQLite's own lock goes to
//! the process that happens to ask when it is free: one that takes it again and again would keep the others from it for
//! many transactions on end.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::sqlite::files::log_of;
use crate::sqlite::wait::{LOOK_AGAIN, wait_a_moment};

/// How long the lock is waited for: longer than others hold it, unless they were stopped in the middle.
const PATIENCE: Duration = Duration::from_millis(200);

/// A lock on the database's log file, which SQLite itself never locks.
pub struct WriteLock {
    log: PathBuf,
    file: Option<File>,
}

/// The lock is held: no other process that uses it begins to write before this is dropped.
pub struct WriteGuard<'a>(&'a File);

impl WriteLock {
    /// The lock of a database; not held as yet.
    pub fn of(database: &Path) -> Self {
        WriteLock { log: log_of(database), file: None }
    }

    /// Waits for the lock. Writing without it only loses fairness, so none is given where others hold it for too long, or
    /// where the file system has no such locks.
    pub fn wait(&mut self) -> Option<WriteGuard<'_>> {
        self.wait_for(PATIENCE)
    }

    /// Whether another process holds it, and so waits to write. Asked while writing, after the lock was given back. True
    /// where there are no such locks: then others may wait.
    pub fn is_taken(&mut self) -> bool {
        self.wait_for(Duration::ZERO).is_none()
    }

    fn wait_for(&mut self, patience: Duration) -> Option<WriteGuard<'_>> {
        if self.file.is_none() {
            self.file = File::open(&self.log).ok();
        }
        let file = self.file.as_ref()?;
        let started = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Some(WriteGuard(file)),
                Err(TryLockError::WouldBlock) if started.elapsed() < patience => {
                    wait_a_moment(LOOK_AGAIN);
                }
                Err(_) => return None,
            }
        }
    }
}

impl Drop for WriteGuard<'_> {
    fn drop(&mut self) {
        // Fails where there was no lock.
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_holds_it_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("people.db");
        let (mut one, mut other) = (WriteLock::of(&database), WriteLock::of(&database));
        assert!(one.wait().is_none(), "there is no log as yet");
        File::create(dir.path().join("people.db-wal")).unwrap();
        assert!(!other.is_taken());
        let guard = one.wait();
        assert!(guard.is_some());
        assert!(other.is_taken());
        drop(guard);
        assert!(!other.is_taken());
        assert!(other.wait_for(Duration::ZERO).is_some());
    }
}
