//! The ledger: one open database, its clock, and the person or program that acts.

#[cfg(test)]
mod statements;

use std::sync::Arc;
use std::time::Duration;

use db::{Batchers, Database, Subscription};
use jobs::{Clock, Timestamp};

use crate::actor::Actor;
use crate::error::{Result, StoreError};
use crate::schema::SCHEMA;
use crate::topic::Topic;

/// How long the database may take to return the time.
const LONGEST_ANSWER: Duration = Duration::from_secs(1);

/// The ledger: every operation on batches, reveals, calls and gates goes through it. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(crate) db: Database<StoreError>,
    /// The batchers, which write many small items together.
    pub(crate) batchers: Batchers<StoreError>,
    clock: Clock,
    actor: Option<Arc<Actor>>,
}

impl Store {
    /// Opens the database at `url` (`sqlite://FILE`, created if missing, or `postgres://…`) and
    /// migrates its schema if `migrate` is set.
    ///
    /// # Errors
    /// A URL of another kind, a database that can't be reached, a schema newer than this program.
    pub async fn connect(url: &str, migrate: bool, clock: Clock) -> Result<Store> {
        Store::open(url, true, migrate, clock).await
    }

    /// Opens an existing database, for programs that only read or change it: a SQLite file that is missing is not created.
    ///
    /// # Errors
    /// [`DbError::Missing`](crate::DbError::Missing), and those of [`Store::connect`].
    pub async fn connect_existing(url: &str, migrate: bool, clock: Clock) -> Result<Store> {
        Store::open(url, false, migrate, clock).await
    }

    async fn open(url: &str, create: bool, migrate: bool, clock: Clock) -> Result<Store> {
        let db = Database::open(url, &SCHEMA, create, migrate).await?;
        let store = Store { batchers: Batchers::of(db.clone()), db, clock, actor: None };
        store.follow_database_clock().await?;
        Ok(store)
    }

    /// Where the ledger is: a file's absolute path, or a server's address without the password.
    #[must_use]
    pub fn place(&self) -> &str {
        self.db.place()
    }

    /// Whether this is Postgres (else SQLite).
    #[must_use]
    pub fn is_postgres(&self) -> bool {
        self.db.is_postgres()
    }

    /// Waits for changes of `topic` from now on.
    #[must_use]
    pub fn subscribe(&self, topic: Topic) -> Subscription {
        self.db.subscribe(topic)
    }

    /// Closes the ledger, for programs that are about to end. Afterwards all pending writes are done, other processes
    /// know of them, and a SQLite file holds everything, with no log next to it unless another process uses it.
    pub async fn close(&self) {
        self.db.close().await;
    }

    /// Returns the same ledger for a person or program that acts by hand: its actions are recorded in the audit log.
    #[must_use]
    pub fn acting_as(&self, actor: Actor) -> Store {
        Store { actor: Some(Arc::new(actor)), ..self.clone() }
    }

    /// The actor that the audit log names.
    pub(crate) fn actor(&self) -> Option<Arc<Actor>> {
        self.actor.clone()
    }

    /// The current time, by the clock that all workers on this database share.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The clock that all workers on this database share.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// Sets the clock by the database's clock, so that machines whose clocks differ agree on what is due.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn follow_database_clock(&self) -> Result<()> {
        if self.is_postgres() {
            let mut conn = self.db.read().await?;
            let asked = self.clock.now();
            let shared: i64 = conn
                .fetch_value(
                    "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
                    &[],
                )
                .await?;
            // An answer that took long to arrive, as on a machine that slept, gives a past time. A clock set by it
            // would take a call that waited too long for a fresh one.
            if self.clock.now().since(asked) <= LONGEST_ANSWER {
                self.clock.follow(Timestamp(shared));
            }
        }
        Ok(())
    }

    /// Returns the same ledger for reading page after page: on SQLite through a connection of its own.
    pub(crate) fn reading_much(&self) -> Store {
        Store { db: self.db.reading_much(), ..self.clone() }
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// The database doesn't answer.
    pub async fn ping(&self) -> Result<()> {
        let mut conn = self.db.read().await?;
        let _: i64 = conn.fetch_value("SELECT COUNT(*) FROM provider_gates", &[]).await?;
        Ok(())
    }
}
