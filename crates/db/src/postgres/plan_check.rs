//! Looks at the plan of each statement that a writer runs, once in debug builds and so in every test: none may read a large
//! table whole, since it would take longer the more the table holds. Writers' connections have sequential scans switched
//! off, so one in a plan means that no index serves the statement. Its cause may be a column of another collation or type.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use sqlx::postgres::PgArguments;
use sqlx::{AssertSqlSafe, PgConnection};

use crate::error::Result;
use crate::schema::Schema;

/// Marks a statement that scans on purpose: it reads a limited part, or runs seldom.
const MEANT: &str = "/* scan */";

static SEEN: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);

/// Returns the node of the statement's plan that reads a large table whole, if one does. A statement that was looked at before
/// is not looked at again.
///
/// # Errors
/// The statement can't be planned.
pub(crate) async fn reads_all(
    conn: &mut PgConnection,
    schema: &Schema,
    sql: &'static str,
    arguments: PgArguments,
) -> Result<Option<String>> {
    if !has_plan(sql) || sql.contains(MEANT) || seen().contains(sql) {
        return Ok(None);
    }
    if has_statistics(conn, schema).await? {
        return Ok(None);
    }
    seen().insert(sql);
    let explain = AssertSqlSafe(format!("EXPLAIN (COSTS OFF) {sql}"));
    let lines = sqlx::query_scalar_with(explain, arguments).fetch_all(conn).await?;
    Ok(scan(&lines, schema))
}

fn has_plan(sql: &str) -> bool {
    let word = sql.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next();
    word.is_some_and(|word| ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"].contains(&word))
}

fn seen() -> MutexGuard<'static, HashSet<&'static str>> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a large table was analysed. The few rows of a test may then really be cheaper to read whole than by an index, so
/// that its plans say nothing about many rows.
async fn has_statistics(conn: &mut PgConnection, schema: &Schema) -> Result<bool> {
    let analysed = "SELECT EXISTS (SELECT 1 FROM pg_class
                    WHERE relname = ANY($1) AND relnamespace = current_schema()::regnamespace AND reltuples >= 0)";
    Ok(sqlx::query_scalar(analysed).bind(schema.large_tables).fetch_one(conn).await?)
}

/// Returns the first node that reads all of a large table, or all of one of its indexes.
fn scan(lines: &[String], schema: &Schema) -> Option<String> {
    let found = lines.iter().enumerate().find(|(at, line)| {
        let Some((node, table)) = table(line) else { return false };
        let by_index = node.contains("Index") && {
            let mut details = lines[at + 1..].iter().map(|line| line.trim_start());
            let small = schema.small_indexes.iter().any(|index| node.ends_with(index));
            small
                || details
                    .by_ref()
                    .take_while(|line| !line.starts_with("->"))
                    .any(|line| line.starts_with("Index Cond:"))
        };
        !by_index && schema.large_tables.contains(&table)
    });
    found.map(|(_, line)| line.trim().to_owned())
}

/// Returns what a node does, with its index, and the table that it reads.
fn table(line: &str) -> Option<(&str, &str)> {
    let (node, rest) = line.split_once(" on ")?;
    node.contains("Scan").then(|| (node, rest.split(' ').next().unwrap_or(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::PEOPLE;

    fn scan_in(plan: &str) -> Option<String> {
        scan(&plan.lines().map(str::to_owned).collect::<Vec<_>>(), &PEOPLE)
    }

    #[test]
    fn a_plan_without_an_index_is_found() {
        let whole = "Nested Loop\n  ->  Seq Scan on people p\n        Filter: (team = 1)";
        assert_eq!(scan_in(whole).as_deref(), Some("->  Seq Scan on people p"));
        assert_eq!(scan_in("Seq Scan on settings s"), None);
        let index = "Update on people\n  ->  Index Scan using people_pkey on people\n        Index Cond: (id = (e.value ->> 'id'))";
        assert_eq!(scan_in(index), None);
    }

    #[test]
    fn an_index_that_is_read_from_end_to_end_is_found() {
        let whole = "Limit\n  ->  Index Scan using people_pkey on people p\n        Filter: (team = 1)\n  ->  Result\n        Index Cond: no";
        assert_eq!(scan_in(whole).as_deref(), Some("->  Index Scan using people_pkey on people p"));
    }

    #[test]
    fn only_statements_with_plans_are_looked_at() {
        assert!(has_plan(" INSERT INTO people"));
        assert!(!has_plan("ANALYZE people"));
        assert!(!has_plan("SET lock_timeout = 1"));
    }
}
