//! An open database: reading, writing in transactions, and hearing of changes.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use sqlx::PgPool;

use crate::db::attached::Attached;
use crate::db::backend::Backend;
use crate::db::conn::Conn;
use crate::db::postgres::notify::Notifier;
use crate::db::postgres::open::{begin, open_postgres};
use crate::db::redacted_url::shown_url;
use crate::db::signals::{Changes, Subscription, Topic, Topics};
use crate::db::sqlite::close::close_sqlite;
use crate::db::sqlite::files::sqlite_file;
use crate::db::sqlite::open::open_sqlite;
use crate::db::transaction::{BoxFuture, Durability, Urgency};
use crate::error::{DatabaseError, Result, StoreError};

/// How often work is begun anew that Postgres gives up because it and others wait for each other.
const DEADLOCKS_IN_A_ROW: u32 = 5;

/// How long the end of a program waits until other processes know what it wrote.
const NOTIFYING: Duration = Duration::from_secs(1);

/// A database in SQLite or Postgres. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Database {
    backend: Backend,
    changes: Changes,
    attached: Attached,
    place: Arc<str>,
}

impl Database {
    /// Opens the database at `url`, creates it if `create` says so, and brings its schema up to date if `migrate` does.
    pub(crate) async fn open(url: &str, create: bool, migrate: bool) -> Result<Database> {
        let (changes, attached) = (Changes::default(), Attached::default());
        let (backend, place) = if url.starts_with("sqlite:") {
            let backend = open_sqlite(url, create, migrate, &changes, &attached).await?;
            (backend, sqlite_file(url).unwrap_or_default().display().to_string())
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            open_postgres(url, migrate, &changes).await?
        } else {
            return Err(StoreError::Url { url: shown_url(url) });
        };
        Ok(Database { backend, changes, attached, place: place.into() })
    }

    /// Where it is: a file's absolute path, or a server's address without the password.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// Whether this is Postgres (else SQLite).
    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.backend, Backend::Postgres { .. })
    }

    /// Waits for changes of `topic` from now on.
    pub(crate) fn subscribe(&self, topic: Topic) -> Subscription {
        self.changes.subscribe(topic)
    }

    /// What is kept in memory beside the database.
    pub(crate) fn attached(&self) -> &Attached {
        &self.attached
    }

    /// Ends its use: what was asked for is written, other processes know of it, and a SQLite file holds everything, with
    /// no log beside it unless another process uses it.
    pub(crate) async fn close(&self) {
        match &self.backend {
            Backend::Sqlite { writer, readers } => close_sqlite(writer, readers).await,
            Backend::Postgres { notifier, .. } => {
                // Only a courtesy: others look for themselves every few seconds. The server may be away.
                let _ = tokio::time::timeout(NOTIFYING, notifier.told()).await;
            }
        }
    }

    /// Postgres' connection for a transaction beside another one.
    pub(crate) fn beside(&self) -> Option<PgPool> {
        match &self.backend {
            Backend::Sqlite { .. } => None,
            Backend::Postgres { beside, .. } => Some(beside.clone()),
        }
    }

    /// A connection for reading.
    pub(crate) async fn read(&self) -> Result<Conn> {
        Ok(match &self.backend {
            Backend::Sqlite { readers, .. } => Conn::sqlite_reader(readers.acquire().await?),
            Backend::Postgres { readers, .. } => Conn::postgres(readers.acquire().await?),
        })
    }

    /// The same database for reading page after page of it: on SQLite by a connection of its own.
    pub(crate) fn reading_much(&self) -> Database {
        let mut database = self.clone();
        if let Backend::Sqlite { readers, .. } = &mut database.backend {
            *readers = readers.one_more();
        }
        database
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
                let mut conn = Conn::transaction(tx).with_attached(&self.attached);
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
}

/// What runs out of one write must not take the task along that writes for others. Its transaction is rolled back.
async fn unless_it_panics<T>(work: BoxFuture<'_, Result<T>>) -> Result<T> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or(Err(DatabaseError::Panicked.into()))
}
