//! Retries a write that must not be lost, however long the database is away, but not for ever if the database will
//! never take it.

use std::fmt::Display;
use std::future::Future;
use std::time::{Duration, Instant};

use jobs::backoff::exponential;

/// How long to wait between two tries, and when a write is given up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// After the first failure.
    pub(crate) first: Duration,
    /// At most.
    pub(crate) longest: Duration,
    /// How long a write may fail while others succeed: beyond that it would never succeed. Its content is lost then,
    /// and its call is taken over as one of unknown outcome.
    pub(crate) hopeless: Duration,
}

impl Patience {
    pub(crate) const USUAL: Patience = Patience {
        first: Duration::from_millis(50),
        longest: Duration::from_secs(5),
        hopeless: Duration::from_secs(300),
    };
}

/// Tries `write` until it succeeds, fails for good, or is hopeless. `others_succeed` says whether the database takes
/// another write just now: if so, the database is available.
pub(crate) async fn retry_write<T, E, W, O>(
    what: &'static str,
    patience: Patience,
    write: impl Fn() -> W,
    is_temporary: impl Fn(&E) -> bool,
    others_succeed: impl Fn() -> O,
) -> Result<T, E>
where
    E: Display,
    W: Future<Output = Result<T, E>>,
    O: Future<Output = bool>,
{
    let mut step = 0;
    let mut alone_since: Option<Instant> = None;
    loop {
        let error = match write().await {
            Err(error) if is_temporary(&error) => error,
            result => return result,
        };
        alone_since = match others_succeed().await {
            true => alone_since.or_else(|| Some(Instant::now())),
            false => None,
        };
        if alone_since.is_some_and(|since| since.elapsed() >= patience.hopeless) {
            return Err(error);
        }
        tracing::warn!(what, %error, "the database can't store this; trying again");
        tokio::time::sleep(exponential(patience.first, patience.longest, step)).await;
        step += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const SHORT: Patience = Patience {
        first: Duration::from_millis(1),
        longest: Duration::from_millis(2),
        hopeless: Duration::from_millis(40),
    };

    /// Returns the outcome of a write that fails `failures` times with `error`, and how often it was tried.
    async fn tried(
        failures: usize,
        error: &'static str,
        others: bool,
    ) -> (Result<(), &'static str>, usize) {
        let tries = Cell::new(0);
        let write = || async {
            tries.set(tries.get() + 1);
            if tries.get() > failures { Ok(()) } else { Err(error) }
        };
        let is_temporary = |error: &&str| *error == "temporary";
        let written = retry_write("a test", SHORT, write, is_temporary, || async { others }).await;
        (written, tries.get())
    }

    #[tokio::test]
    async fn tries_until_it_succeeds() {
        assert_eq!(tried(3, "temporary", true).await, (Ok(()), 4));
    }

    #[tokio::test]
    async fn a_permanent_failure_is_not_tried_again() {
        assert_eq!(tried(usize::MAX, "permanent", false).await, (Err("permanent"), 1));
    }

    #[tokio::test]
    async fn what_fails_while_others_succeed_is_given_up() {
        let (written, tries) = tried(usize::MAX, "temporary", true).await;
        assert_eq!(written, Err("temporary"));
        assert!(tries > 3, "{tries} tries");
    }

    #[tokio::test]
    async fn a_database_that_is_away_is_waited_for() {
        let (written, tries) = tried(60, "temporary", false).await;
        assert_eq!((written, tries), (Ok(()), 61), "longer than what is hopeless");
    }
}
