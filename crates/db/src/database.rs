//! An open database: reading, writing in transactions, and subscribing to changes.

use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use sqlx::PgPool;

use crate::attached::Attached;
use crate::backend::Backend;
use crate::conn::Conn;
use crate::error::{DbError, Failure, Result, WorkError};
use crate::postgres::notify::Notifier;
use crate::postgres::open::{begin, open_postgres};
use crate::redacted_url::redacted_url;
use crate::schema::Schema;
use crate::scrubbed::{Scrubbed, Traces};
use crate::signals::{Changes, Subscription, Topic, Topics};
use crate::sqlite::close::close_sqlite;
use crate::sqlite::files::sqlite_file;
use crate::sqlite::open::open_sqlite;
use crate::sqlite::scrub::scrub;
use crate::transaction::{BoxFuture, Durability, Urgency};

/// How often work is tried that Postgres aborts because of a deadlock.
const DEADLOCKS_IN_A_ROW: u32 = 5;

/// How long the end of a program waits until other processes know what it wrote.
const NOTIFYING: Duration = Duration::from_secs(1);

/// A database in SQLite or Postgres. Cheap to clone. `E` is the error of the work that it runs.
pub struct Database<E = DbError> {
    backend: Backend,
    changes: Changes,
    attached: Attached,
    schema: &'static Schema,
    place: Arc<str>,
    error: PhantomData<fn() -> E>,
}

impl<E> Clone for Database<E> {
    fn clone(&self) -> Self {
        Database {
            backend: self.backend.clone(),
            changes: self.changes.clone(),
            attached: self.attached.clone(),
            schema: self.schema,
            place: Arc::clone(&self.place),
            error: PhantomData,
        }
    }
}

/// Begins a second transaction at the same time as another one, on Postgres.
#[derive(Clone)]
pub struct ParallelWriter(PgPool);

impl ParallelWriter {
    /// Begins it. The other one commits it ([`Conn::commit_after`]).
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn begin(&self, durability: Durability) -> Result<Conn> {
        Ok(Conn::transaction(self.0.begin_with(begin(durability)).await?))
    }
}

impl<E: WorkError> Database<E> {
    /// Opens the database at `url`, creates it if `create` says so, and brings its schema up to date if `migrate` does.
    ///
    /// # Errors
    /// A URL of another kind, a database that can't be reached, a schema newer than this program.
    pub async fn open(
        url: &str,
        schema: &'static Schema,
        create: bool,
        migrate: bool,
    ) -> Result<Self> {
        let (changes, attached) = (Changes::default(), Attached::default());
        let (backend, place) = if url.starts_with("sqlite:") {
            let backend = open_sqlite(url, schema, create, migrate, &changes, &attached).await?;
            (backend, sqlite_file(url).unwrap_or_default().display().to_string())
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            open_postgres(url, schema, migrate, &changes).await?
        } else {
            return Err(DbError::Url { url: redacted_url(url) });
        };
        Ok(Database { backend, changes, attached, schema, place: place.into(), error: PhantomData })
    }

    /// Where it is: a file's absolute path, or a server's address without the password.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Whether this is Postgres (else SQLite).
    pub fn is_postgres(&self) -> bool {
        matches!(self.backend, Backend::Postgres { .. })
    }

    /// Waits for changes of `topic` from now on.
    pub fn subscribe(&self, topic: impl Into<Topic>) -> Subscription {
        self.changes.subscribe(topic.into())
    }

    /// What is kept in memory next to the database.
    pub fn attached(&self) -> &Attached {
        &self.attached
    }

    /// Ends its use: what was asked for is written, other processes know of it, and a SQLite file holds everything,
    /// with no log next to it unless another process uses it.
    pub async fn close(&self) {
        match &self.backend {
            Backend::Sqlite { writer, readers } => close_sqlite(writer, readers).await,
            Backend::Postgres { notifier, .. } => {
                // Other processes look by themselves every few seconds, so that this may fail.
                let _ = tokio::time::timeout(NOTIFYING, notifier.flush()).await;
            }
        }
    }

    /// Postgres' connection for a transaction in parallel with another one.
    pub fn parallel_writer(&self) -> Option<ParallelWriter> {
        match &self.backend {
            Backend::Sqlite { .. } => None,
            Backend::Postgres { parallel, .. } => Some(ParallelWriter(parallel.clone())),
        }
    }

    /// A connection for reading.
    pub async fn read(&self) -> Result<Conn> {
        let conn = match &self.backend {
            Backend::Sqlite { readers, .. } => Conn::sqlite_reader(readers.acquire().await?),
            Backend::Postgres { readers, .. } => Conn::postgres(readers.acquire().await?),
        };
        Ok(conn.with_attached(&self.attached))
    }

    /// The same database for reading page after page of it: on SQLite by a connection of its own.
    pub fn reading_much(&self) -> Self {
        let mut database = self.clone();
        if let Backend::Sqlite { readers, .. } = &mut database.backend {
            *readers = readers.one_more();
        }
        database
    }

    /// Runs `work` as one transaction; returns once it is durable, or with nothing of it done.
    pub async fn write<T, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Conn) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
    {
        self.write_with(Durability::Full, work).await
    }

    /// The same for one statement that another system waits for: before other work that waits for SQLite's
    /// one writer, and without the trips to Postgres around it, where it is a transaction by itself.
    pub async fn write_statement<T, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Conn) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
    {
        match &self.backend {
            Backend::Sqlite { writer, .. } => {
                writer.write(Durability::Full, Urgency::Urgent, work).await
            }
            Backend::Postgres { writers, notifier, .. } => {
                let conn = writers.acquire().await.map_err(DbError::from)?;
                let mut conn = Conn::postgres(conn).checked_by(self.schema);
                let value = unless_it_panics(work(&mut conn)).await?;
                self.notify(notifier, conn.take_topics());
                Ok(value)
            }
        }
    }

    /// Runs `work` as one transaction; returns once it is as durable as it must be, or with nothing of
    /// it done.
    pub async fn write_with<T, F>(&self, durability: Durability, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Conn) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
    {
        match &self.backend {
            Backend::Sqlite { writer, .. } => writer.write(durability, Urgency::Usual, work).await,
            Backend::Postgres { writers, notifier, .. } => {
                let tx = writers.begin_with(begin(durability)).await.map_err(DbError::from)?;
                let conn = Conn::transaction(tx).checked_by(self.schema);
                let mut conn = conn.with_attached(&self.attached);
                let value = unless_it_panics(work(&mut conn)).await?;
                let topics = conn.take_topics();
                conn.commit().await?;
                self.notify(notifier, topics);
                Ok(value)
            }
        }
    }

    /// The same for work that can be repeated, should Postgres have aborted it because of a deadlock. All transactions lock
    /// in one order, as far as it is known beforehand which rows they touch.
    pub async fn write_anew<T, F>(
        &self,
        durability: Durability,
        work: impl Fn() -> F,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Conn) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
    {
        for _ in 1..DEADLOCKS_IN_A_ROW {
            match self.write_with(durability, work()).await {
                Err(error) if error.as_database().is_some_and(DbError::is_deadlock) => {}
                done => return done,
            }
        }
        self.write_with(durability, work()).await
    }

    /// Makes sure that what was deleted is in no byte of a SQLite file or its log; `None` for a server.
    ///
    /// # Errors
    /// The file can't be used.
    pub async fn scrub_file(&self, traces: Arc<Traces>) -> Result<Option<Scrubbed>> {
        let Backend::Sqlite { readers, .. } = &self.backend else { return Ok(None) };
        let path = readers.path().to_owned();
        let scrubbing = tokio::task::spawn_blocking(move || scrub(&path, &traces));
        scrubbing.await.map_err(|_| Failure::Panicked)?.map(Some)
    }

    /// Notifies all processes of what was committed.
    fn notify(&self, notifier: &Notifier, topics: Topics) {
        self.changes.wake(&topics);
        notifier.notify(topics);
    }
}

/// A panic in one write must not end the task that writes for others. The transaction is rolled back.
async fn unless_it_panics<T, E: WorkError>(work: BoxFuture<'_, Result<T, E>>) -> Result<T, E> {
    let panicked = |_| Err(DbError::from(Failure::Panicked).into());
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(panicked)
}
