//! What the owner of a database says of it.

use sqlx::migrate::Migrator;

/// What a program keeps in its databases, which this crate knows nothing else of.
pub struct Schema {
    /// What the program is called among a Postgres server's connections.
    pub application: &'static str,
    /// The channel on which its processes notify each other of changes, on Postgres.
    pub channel: &'static str,
    /// What brings a SQLite file up to date.
    pub sqlite: Migrator,
    /// What brings a Postgres database up to date.
    pub postgres: Migrator,
    /// Tables that no statement may read whole, since it would take the longer the more there is in them.
    pub large_tables: &'static [&'static str],
    /// Indexes of those tables that hold little at any time, so that they may be read whole.
    pub small_indexes: &'static [&'static str],
}
