//! Opening the ledger.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use jobs::{Clock, Timestamp};
use sqlx::PgPool;

use crate::audit::Actor;
use crate::changes::{Changes, Subscription, Topic, Topics};
use crate::close_sqlite::close_sqlite;
use crate::conn::{Conn, value};
use crate::grouped::Groups;
use crate::notify::Notifier;
use crate::open_sqlite::{open_sqlite, sqlite_file};
use crate::passed::Passed;
use crate::postgres::{begin, open_postgres};
use crate::shown_url::shown_url;
use crate::sqlite::Readers;
use crate::writer::{BoxFuture, Durability, Urgency, Writer};
use crate::{DatabaseError, Result, StoreError};

/// How long the database may take to tell the time.
pub(crate) const LONGEST_ANSWER: Duration = Duration::from_secs(1);

/// How often work is begun anew that Postgres gives up because it and others wait for each other.
const DEADLOCKS_IN_A_ROW: u32 = 5;

/// The ledger: every operation on batches, reveals, calls and gates goes through it. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    backend: Backend,
    changes: Changes,
    clock: Clock,
    passed: Passed,
    groups: Option<Groups>,
    place: Arc<str>,
    actor: Option<Arc<Actor>>,
}

#[derive(Clone)]
pub(crate) enum Backend {
    Sqlite { writer: Writer, readers: Readers },
    Postgres { writers: PgPool, beside: PgPool, readers: PgPool, notifier: Notifier },
}

/// How long the end of a program waits until other processes know what it wrote.
const NOTIFYING: Duration = Duration::from_secs(1);

impl Store {
    /// Opens the database at `url` (`sqlite://FILE`, created if missing, or `postgres://…`) and
    /// brings its schema up to date unless told not to.
    ///
    /// # Errors
    /// A URL of another kind, a database that can't be reached, a schema newer than this program.
    pub async fn connect(url: &str, migrate: bool, clock: Clock) -> Result<Store> {
        Store::open(url, true, migrate, clock).await
    }

    /// The same for what only reads or changes what is there: a SQLite file that is missing stays so.
    ///
    /// # Errors
    /// [`StoreError::Missing`], and those of [`Store::connect`].
    pub async fn connect_existing(url: &str, migrate: bool, clock: Clock) -> Result<Store> {
        Store::open(url, false, migrate, clock).await
    }

    async fn open(url: &str, create: bool, migrate: bool, clock: Clock) -> Result<Store> {
        let (changes, passed) = (Changes::default(), Passed::default());
        let (backend, place) = if url.starts_with("sqlite:") {
            let backend = open_sqlite(url, create, migrate, &changes, &passed).await?;
            (backend, sqlite_file(url).unwrap_or_default().display().to_string())
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            open_postgres(url, migrate, &changes).await?
        } else {
            return Err(StoreError::Url { url: shown_url(url) });
        };
        let place = place.into();
        let store = Store { backend, changes, clock, passed, groups: None, place, actor: None };
        store.follow_database_clock().await?;
        Ok(Store { groups: Some(Groups::start(&store)), ..store })
    }

    /// Where the ledger is: a file's absolute path, or a server's address without the password.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The same ledger for a person or program that acts by hand: what is done through it stands in the audit log.
    #[must_use]
    pub fn acting_as(&self, actor: Actor) -> Store {
        Store { actor: Some(Arc::new(actor)), ..self.clone() }
    }

    /// For whom the audit log is written.
    pub(crate) fn actor(&self) -> Option<Arc<Actor>> {
        self.actor.clone()
    }

    /// Ends the use of the ledger: what was asked for is written, other processes know of it, and a SQLite file holds
    /// everything, with no log beside it unless another process uses it. For programs that are about to end.
    pub async fn close(&self) {
        match &self.backend {
            Backend::Sqlite { writer, readers } => close_sqlite(writer, readers).await,
            Backend::Postgres { notifier, .. } => {
                // Only a courtesy: others look for themselves every few seconds. The server may be away.
                let _ = tokio::time::timeout(NOTIFYING, notifier.told()).await;
            }
        }
    }

    /// The present, by the clock that all workers on this database share.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The clock that all workers on this database share.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// Good answers that no gate shows yet.
    pub(crate) fn passed(&self) -> &Passed {
        &self.passed
    }

    /// The ways to write what is many and small.
    pub(crate) fn groups(&self) -> Result<&Groups> {
        self.groups.as_ref().ok_or(DatabaseError::Closed.into())
    }

    /// Waits for changes of `topic` from now on.
    #[must_use]
    pub fn subscribe(&self, topic: Topic) -> Subscription {
        self.changes.subscribe(topic)
    }

    /// Whether this is Postgres (else SQLite).
    #[must_use]
    pub fn is_postgres(&self) -> bool {
        matches!(self.backend, Backend::Postgres { .. })
    }

    /// Postgres' connection for a transaction beside another one.
    pub(crate) fn beside(&self) -> Option<PgPool> {
        match &self.backend {
            Backend::Sqlite { .. } => None,
            Backend::Postgres { beside, .. } => Some(beside.clone()),
        }
    }

    /// Sets the clock by the database's, so that machines whose clocks differ agree on what is due.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn follow_database_clock(&self) -> Result<()> {
        if self.is_postgres() {
            let mut conn = self.read().await?;
            let asked = self.clock.now();
            let shared: i64 = value!(
                conn,
                "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
            )?;
            // An answer that was long on its way, as to a machine that slept, tells the past: a clock
            // set by it would take a call that waited too long for a fresh one.
            if self.clock.now().since(asked) <= LONGEST_ANSWER {
                self.clock.follow(Timestamp(shared));
            }
        }
        Ok(())
    }

    /// A connection for reading.
    pub(crate) async fn read(&self) -> Result<Conn> {
        Ok(match &self.backend {
            Backend::Sqlite { readers, .. } => Conn::sqlite_reader(readers.acquire().await?),
            Backend::Postgres { readers, .. } => Conn::postgres(readers.acquire().await?),
        })
    }

    /// The same ledger for one who reads page after page of it: on SQLite by a connection of its own.
    pub(crate) fn reading_much(&self) -> Store {
        let mut store = self.clone();
        if let Backend::Sqlite { readers, .. } = &mut store.backend {
            *readers = readers.one_more();
        }
        store
    }

    /// Runs `work` as one transaction; returns once it is durable, or with nothing of it done.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Conn) -> BoxFuture<'a, Result<T>> + Send + 'static,
    {
        self.write_with(Durability::Full, work).await
    }

    /// The same for one statement that somebody outside waits for: before other work that waits for SQLite's
    /// one writer, and without the trips to Postgres around it, where it is a transaction by itself.
    pub(crate) async fn write_statement<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Conn) -> BoxFuture<'a, Result<T>> + Send + 'static,
    {
        match &self.backend {
            Backend::Sqlite { writer, .. } => {
                writer.write(Durability::Full, Urgency::Urgent, work).await
            }
            Backend::Postgres { writers, notifier, .. } => {
                let mut conn = Conn::postgres(writers.acquire().await?);
                let value = unless_it_panics(work(&mut conn)).await?;
                self.tell(notifier, conn.take_topics());
                Ok(value)
            }
        }
    }

    /// Runs `work` as one transaction; returns once it is as durable as it must be, or with nothing of
    /// it done.
    pub(crate) async fn write_with<T, F>(&self, durability: Durability, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Conn) -> BoxFuture<'a, Result<T>> + Send + 'static,
    {
        match &self.backend {
            Backend::Sqlite { writer, .. } => writer.write(durability, Urgency::Usual, work).await,
            Backend::Postgres { writers, notifier, .. } => {
                let tx = writers.begin_with(begin(durability)).await?;
                let mut conn = Conn::transaction(tx).with_passed(&self.passed);
                let value = unless_it_panics(work(&mut conn)).await?;
                let topics = conn.take_topics();
                conn.commit().await?;
                self.tell(notifier, topics);
                Ok(value)
            }
        }
    }

    /// The same for work that can be begun anew, should Postgres have given it up because it and others waited
    /// for each other. All lock in one order, as far as it is known beforehand whom they touch; that of a
    /// waterfall's next step isn't.
    pub(crate) async fn write_anew<T, F>(
        &self,
        durability: Durability,
        work: impl Fn() -> F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Conn) -> BoxFuture<'a, Result<T>> + Send + 'static,
    {
        for _ in 1..DEADLOCKS_IN_A_ROW {
            match self.write_with(durability, work()).await {
                Err(error) if error.is_deadlock() => {}
                done => return done,
            }
        }
        self.write_with(durability, work()).await
    }

    /// Says to all processes what was committed.
    fn tell(&self, notifier: &Notifier, topics: Topics) {
        self.changes.wake(topics);
        notifier.tell(topics);
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// It doesn't.
    pub async fn ping(&self) -> Result<()> {
        let mut conn = self.read().await?;
        let _: i64 = value!(conn, "SELECT COUNT(*) FROM provider_gates")?;
        Ok(())
    }
}

/// What runs out of one write must not take the task along that writes for others. Its transaction is rolled back.
async fn unless_it_panics<T>(work: BoxFuture<'_, Result<T>>) -> Result<T> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or(Err(DatabaseError::Panicked.into()))
}
