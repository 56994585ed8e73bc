//! Locking that never panics.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes the lock. All critical sections here are short and leave whole values behind, so a poisoned lock's value is
/// still good.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
