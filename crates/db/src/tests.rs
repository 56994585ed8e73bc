//! What the tests keep in their databases.

use std::borrow::Cow;

use sqlx::migrate::Migrator;

use crate::schema::Schema;

const NO_MIGRATIONS: Migrator = Migrator { migrations: Cow::Borrowed(&[]), ..Migrator::DEFAULT };

/// One table, which each test makes as it needs it.
pub(crate) static PEOPLE: Schema = Schema {
    application: "db-tests",
    channel: "db_tests",
    sqlite: NO_MIGRATIONS,
    postgres: NO_MIGRATIONS,
    large_tables: &["people"],
    small_indexes: &[],
};
