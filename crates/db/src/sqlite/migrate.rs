//! Brings the schema of a SQLite file up to date. The table of applied migrations is the one that sqlx keeps, as on Postgres.

use std::collections::HashMap;

use rusqlite::{Connection, TransactionBehavior, params};
use sqlx::migrate::{MigrateError, Migration, Migrator};

use crate::error::Result;

/// Applies the migrations that are missing, all in one transaction. A file that is up to date is not locked, so that programs
/// can be started while another one writes for long.
pub(crate) fn migrate(conn: &mut Connection, migrator: &Migrator) -> Result<()> {
    if missing(&applied(conn)?, migrator)?.is_empty() {
        return Ok(());
    }
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS _sqlx_migrations (
             version BIGINT PRIMARY KEY,
             description TEXT NOT NULL,
             installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
             success BOOLEAN NOT NULL,
             checksum BLOB NOT NULL,
             execution_time BIGINT NOT NULL
         )",
    )?;
    // Another process may have applied some before this one had the lock.
    for migration in missing(&applied(&transaction)?, migrator)? {
        transaction.execute_batch(migration.sql.as_str())?;
        transaction.execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (?1, ?2, TRUE, ?3, -1)",
            params![migration.version, migration.description, migration.checksum],
        )?;
    }
    Ok(transaction.commit()?)
}

/// Returns the checksums of the migrations that were applied to the file.
fn applied(conn: &Connection) -> Result<HashMap<i64, Vec<u8>>> {
    if !conn.table_exists(None, "_sqlx_migrations")? {
        return Ok(HashMap::new());
    }
    let mut statement = conn.prepare("SELECT version, checksum FROM _sqlx_migrations")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Returns the migrations that were not applied yet.
///
/// # Errors
/// Another version of the program applied a migration that is unknown here, or a different one of this number.
fn missing<'m>(
    applied: &HashMap<i64, Vec<u8>>,
    migrator: &'m Migrator,
) -> Result<Vec<&'m Migration>, MigrateError> {
    if let Some(version) = applied.keys().find(|version| !migrator.version_exists(**version)) {
        return Err(MigrateError::VersionMissing(*version));
    }
    let mut missing = Vec::new();
    for migration in migrator.iter().filter(|one| !one.migration_type.is_down_migration()) {
        match applied.get(&migration.version) {
            Some(checksum) if checksum[..] == migration.checksum[..] => {}
            Some(_) => return Err(MigrateError::VersionMismatch(migration.version)),
            None => missing.push(migration),
        }
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use sqlx::SqlSafeStr;
    use sqlx::migrate::MigrationType;

    use super::*;
    use crate::error::DbError;

    fn migrations(texts: &[&'static str]) -> Migrator {
        let migration = |(version, text): (i64, &&'static str)| {
            Migration::new(version, "m".into(), MigrationType::Simple, text.into_sql_str(), false)
        };
        Migrator::with_migrations((1..).zip(texts).map(migration).collect())
    }

    const PEOPLE: &str = "CREATE TABLE people (id BIGINT)";
    const TEAMS: &str = "CREATE TABLE teams (id BIGINT)";

    #[test]
    fn only_what_is_missing_is_applied() {
        let mut conn = Connection::open_in_memory().unwrap();
        for texts in [&[PEOPLE][..], &[PEOPLE], &[PEOPLE, TEAMS], &[PEOPLE, TEAMS]] {
            migrate(&mut conn, &migrations(texts)).unwrap();
            assert_eq!(applied(&conn).unwrap().len(), texts.len());
        }
        assert!(conn.table_exists(None, "teams").unwrap());
    }

    #[test]
    fn the_schema_of_another_version_is_refused() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn, &migrations(&[PEOPLE, TEAMS])).unwrap();
        let newer = migrate(&mut conn, &migrations(&[PEOPLE])).unwrap_err();
        assert!(matches!(newer, DbError::Migrate(MigrateError::VersionMissing(2))), "{newer}");
        let other = migrate(&mut conn, &migrations(&[PEOPLE, PEOPLE])).unwrap_err();
        assert!(matches!(other, DbError::Migrate(MigrateError::VersionMismatch(2))), "{other}");
    }

    #[test]
    fn a_migration_that_fails_leaves_nothing_of_any() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn, &migrations(&[PEOPLE, "CREATE TABLE teams (id BIGINT); nonsense"]))
            .unwrap_err();
        assert!(applied(&conn).unwrap().is_empty());
        assert!(!conn.table_exists(None, "people").unwrap());
        migrate(&mut conn, &migrations(&[PEOPLE, TEAMS])).unwrap();
    }

    #[test]
    fn a_file_that_is_up_to_date_needs_no_lock() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("people.db");
        let mut conn = Connection::open(&file).unwrap();
        conn.pragma_update(None, "journal_mode", "WAL").unwrap();
        migrate(&mut conn, &migrations(&[PEOPLE])).unwrap();
        let mut writer = Connection::open(&file).unwrap();
        let _held = writer.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        conn.busy_timeout(std::time::Duration::ZERO).unwrap();
        migrate(&mut conn, &migrations(&[PEOPLE])).unwrap();
        assert!(migrate(&mut conn, &migrations(&[PEOPLE, TEAMS])).unwrap_err().is_locked());
    }
}
