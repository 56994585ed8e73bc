//! Whose turn it is to write, among the processes that share a SQLite file. SQLite's own lock goes to
//! the process that happens to ask when it is free: one that takes it again and again would keep the others from it for
//! many transactions on end.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::sqlite::files::log_of;
use crate::sqlite::wait::{LOOK_AGAIN, wait_a_moment};

/// How long the turn is waited for: longer than others keep it, unless they were stopped in the middle.
const PATIENCE: Duration = Duration::from_millis(200);

/// The way to the turn: a lock on the database's log, which SQLite itself never locks.
pub struct Turns {
    log: PathBuf,
    file: Option<File>,
}

/// Nobody else who asks for the turn begins to write before this is dropped.
pub struct Turn<'a>(&'a File);

impl Turns {
    /// The turns of a database.
    pub fn of(database: &Path) -> Self {
        Turns { log: log_of(database), file: None }
    }

    /// Waits for the turn. Nothing is lost without it but the order: not where others keep it for too
    /// long, nor where there are no such locks.
    pub fn wait(&mut self) -> Option<Turn<'_>> {
        self.wait_for(PATIENCE)
    }

    /// Whether somebody has the turn. Asked by who is writing, after the turn: another process has it then, and
    /// waits for the lock. Where there are no such locks nobody knows, so others are made way for.
    pub fn is_taken(&mut self) -> bool {
        self.wait_for(Duration::ZERO).is_none()
    }

    fn wait_for(&mut self, patience: Duration) -> Option<Turn<'_>> {
        if self.file.is_none() {
            self.file = File::open(&self.log).ok();
        }
        let file = self.file.as_ref()?;
        let started = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Some(Turn(file)),
                Err(TryLockError::WouldBlock) if started.elapsed() < patience => {
                    wait_a_moment(LOOK_AGAIN);
                }
                Err(_) => return None,
            }
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // Fails where there was no lock.
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_process_turn_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("people.db");
        let (mut one, mut other) = (Turns::of(&database), Turns::of(&database));
        assert!(one.wait().is_none(), "there is no log as yet");
        File::create(dir.path().join("people.db-wal")).unwrap();
        assert!(!other.is_taken());
        let turn = one.wait();
        assert!(turn.is_some());
        assert!(other.is_taken());
        drop(turn);
        assert!(!other.is_taken());
        assert!(other.wait_for(Duration::ZERO).is_some());
    }
}
