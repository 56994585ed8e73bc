//! How SQLite runs a statement, looked at once for each in debug builds, so in every test: none may read
//! a large table whole, since it would take the longer the more there are.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use rusqlite::Connection;
use rusqlite::types::Null;

use crate::schema::Schema;

/// Marks a statement that scans on purpose: it reads a limited part, or runs seldom.
const MEANT: &str = "/* scan */";

static SEEN: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

/// The step of the statement that reads a large table whole, if one does.
pub(crate) fn reads_all(conn: &Connection, schema: &Schema, sql: &str) -> Option<String> {
    if sql.contains(MEANT)
        || !SEEN.lock().unwrap_or_else(PoisonError::into_inner).insert(sql.to_owned())
    {
        return None;
    }
    let steps = steps(conn, sql).ok()?;
    steps.into_iter().find(|step| {
        let Some(rest) = step.strip_prefix("SCAN ") else { return false };
        let name = rest.split(' ').next().unwrap_or_default();
        let small = schema.small_indexes.iter().any(|index| rest.ends_with(index));
        !small && schema.large_tables.iter().any(|table| is_named(sql, table, name))
    })
}

/// The plan's steps; none for what has no plan, such as `COMMIT`.
fn steps(conn: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
    for parameter in 1..=statement.parameter_count() {
        statement.raw_bind_parameter(parameter, Null)?;
    }
    statement.raw_query().mapped(|row| row.get("detail")).collect()
}

/// Whether the statement calls the table so, itself or by an alias.
fn is_named(sql: &str, table: &str, name: &str) -> bool {
    let words: Vec<&str> = sql
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|w| !w.is_empty())
        .collect();
    let alias = |pair: &[&str]| pair[0] == table && pair[1] == name;
    name == table && words.contains(&table) || words.windows(2).any(alias)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::PEOPLE;

    #[test]
    fn what_reads_a_large_table_whole_is_found_by_its_alias() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE people (id INTEGER PRIMARY KEY, team BIGINT)").unwrap();
        let found = reads_all(&conn, &PEOPLE, "SELECT id FROM people r WHERE r.team = ?1");
        assert_eq!(found.as_deref(), Some("SCAN r"));
        assert_eq!(reads_all(&conn, &PEOPLE, "SELECT team FROM people r WHERE r.id = ?1"), None);
        assert_eq!(
            reads_all(&conn, &PEOPLE, "SELECT /* scan */ id FROM people WHERE team = 1"),
            None
        );
        assert_eq!(reads_all(&conn, &PEOPLE, "COMMIT"), None);
    }
}
