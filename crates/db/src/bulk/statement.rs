//! One statement for many rows. `FROM ROWS` stands for the rows, and `e.name` for one of their columns. Postgres takes each
//! column as an array and runs the statement once. SQLite runs it once a row, or once for a few rows that it inserts, which
//! costs it less than unpacking a set.

use sqlx::Arguments;
use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;

use crate::bulk::columns::{Column, Columns, parameter};
use crate::conn::{Conn, Raw};
use crate::dialect::Dialect;
use crate::error::Result;
use crate::record::Record;

/// How many rows SQLite inserts by one statement.
const AT_ONCE: usize = 16;

/// Runs `sql` for all rows; gives the number of rows it changed.
pub async fn write_rows(conn: &mut Conn, sql: &'static str, columns: Columns) -> Result<u64> {
    let rows = columns.first().map_or(0, |(_, column)| column.len());
    if rows == 0 {
        return Ok(0);
    }
    match conn.raw() {
        Raw::Sqlite(conn) => {
            let text =
                |rows| Dialect::Sqlite.translated(sql, rows, || sqlite(sql, rows, &columns).into());
            let mut changed = 0;
            let mut done = 0;
            if rows >= AT_ONCE && only_inserts(sql) {
                done = rows - rows % AT_ONCE;
                changed += conn.exec_each(text(AT_ONCE), 0..done, AT_ONCE, &columns)?;
            }
            changed += conn.exec_each(text(1), done..rows, 1, &columns)?;
            Ok(changed)
        }
        Raw::Postgres(conn) => {
            let text = Dialect::Postgres.translated(sql, 0, || postgres(sql, &columns).into());
            conn.execute(text, arguments(&columns).map_err(sqlx::Error::Encode)?).await
        }
    }
}

/// Runs `sql` for all rows; returns what it gives for them, such as what it has `RETURNING`. In no order.
pub async fn fetch_for_rows<T: Record>(
    conn: &mut Conn,
    sql: &'static str,
    columns: Columns,
) -> Result<Vec<T>> {
    let rows = columns.first().map_or(0, |(_, column)| column.len());
    if rows == 0 {
        return Ok(Vec::new());
    }
    match conn.raw() {
        Raw::Sqlite(conn) => {
            let text = Dialect::Sqlite.translated(sql, 1, || sqlite(sql, 1, &columns).into());
            conn.rows_of_each(text, rows, &columns)
        }
        Raw::Postgres(conn) => {
            let text = Dialect::Postgres.translated(sql, 0, || postgres(sql, &columns).into());
            conn.fetch_all(text, arguments(&columns).map_err(sqlx::Error::Encode)?).await
        }
    }
}

/// The columns as parameters for Postgres: an array of each, and the value of one that is the same in all rows.
fn arguments(columns: &Columns) -> Result<PgArguments, BoxDynError> {
    let mut arguments = PgArguments::default();
    for (_, column) in columns {
        match column {
            Column::Same(value, _) => arguments.add(value),
            Column::SameText(value, _) => arguments.add(value),
            Column::Ints(values) => arguments.add(values),
            Column::Texts(values) => arguments.add(values),
            Column::Words(values) => arguments.add(values),
            Column::Shared(values) => {
                arguments.add(values.iter().map(|value| &**value).collect::<Vec<&str>>())
            }
            Column::Blobs(values) => arguments.add(values),
        }?;
    }
    Ok(arguments)
}

/// SQLite's form, for so many rows at once. `OR FAIL`, since otherwise it keeps a journal for the statement,
/// in case it fails at a later row; here the whole transaction is rolled back.
fn sqlite(sql: &str, rows: usize, columns: &Columns) -> String {
    let Some((insert, row, rest)) = inserted(sql) else {
        return numbered(&sql.replace("FROM ROWS", ""), 0, columns);
    };
    let insert =
        if rows > 1 { insert.replacen("INSERT", "INSERT OR FAIL", 1) } else { insert.into() };
    let values: Vec<String> =
        (0..rows).map(|number| format!("({})", numbered(row, number, columns))).collect();
    format!("{insert}VALUES {} {rest}", values.join(", "))
}

/// An insert's table, its row, and what follows, if every row is inserted.
fn inserted(sql: &str) -> Option<(&str, &str, &str)> {
    let (insert, rest) = sql.split_once("SELECT ").filter(|_| sql.starts_with("INSERT"))?;
    let (row, rest) = rest.split_once("FROM ROWS")?;
    let rest = rest.trim_start().trim_start_matches("WHERE TRUE");
    (!rest.starts_with("WHERE")).then_some((insert, row, rest))
}

/// Whether nothing but new rows comes of it.
fn only_inserts(sql: &str) -> bool {
    inserted(sql).is_some_and(|(_, _, rest)| rest.is_empty() || rest.ends_with("DO NOTHING"))
}

/// The row's columns as parameters; those that are the same in each row are the first one's.
fn numbered(sql: &str, row: usize, columns: &Columns) -> String {
    with_values(sql, |name| {
        let column = columns.iter().position(|(of, _)| *of == name)?;
        Some(format!("?{}", parameter(columns, row, column)))
    })
}

/// With each `e.name` as it is valued, where it is.
pub(super) fn with_values(sql: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(at) = rest.find("e.") {
        let (before, after) = (&rest[..at], &rest[at + 2..]);
        let end = after.find(|c: char| !is_of_a_name(c)).unwrap_or(after.len());
        text.push_str(before);
        match value(&after[..end]).filter(|_| !before.ends_with(is_of_a_name)) {
            Some(value) => text.push_str(&value),
            None => text.push_str(&rest[at..at + 2 + end]),
        }
        rest = &after[end..];
    }
    text.push_str(rest);
    text
}

fn is_of_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Postgres' form: the rows as arrays, and what is the same in all of them as it is.
fn postgres(sql: &str, columns: &Columns) -> String {
    let (mut arrays, mut names) = (Vec::new(), Vec::new());
    let mut same = Vec::new();
    for (number, (name, column)) in (1..).zip(columns) {
        let kind = column.postgres_type();
        if column.is_same() {
            same.push((*name, format!("CAST(${number} AS {kind})")));
        } else {
            arrays.push(format!("CAST(${number} AS {kind}[])"));
            names.push(*name);
        }
    }
    let rows = format!("FROM unnest({}) AS e({})", arrays.join(", "), names.join(", "));
    with_values(sql, |name| same.iter().find(|(of, _)| *of == name).map(|(_, value)| value.clone()))
        .replace("FROM ROWS", &rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bulk::columns::{ints, same, same_text, texts};

    #[test]
    fn each_database_gets_its_form() {
        let sql = "UPDATE people SET ended = e.ended, people.id = e.id FROM ROWS WHERE id = e.id";
        let columns = vec![("id", ints([1])), ("ended", texts([Some("x")]))];
        assert_eq!(
            sqlite(sql, 1, &columns),
            "UPDATE people SET ended = ?2, people.id = ?1  WHERE id = ?1"
        );
        let insert = "INSERT INTO people (id, ended) SELECT e.id, e.ended FROM ROWS WHERE TRUE
                      ON CONFLICT (id) DO NOTHING";
        let words: Vec<String> =
            sqlite(insert, 1, &columns).split_whitespace().map(str::to_owned).collect();
        assert_eq!(
            words.join(" "),
            "INSERT INTO people (id, ended) VALUES (?1, ?2 ) ON CONFLICT (id) DO NOTHING"
        );
        let some = "INSERT INTO people (id) SELECT e.id FROM ROWS WHERE e.id > 0";
        assert_eq!(sqlite(some, 1, &columns), "INSERT INTO people (id) SELECT ?1  WHERE ?1 > 0");
        assert!(postgres(sql, &columns).contains(
            "FROM unnest(CAST($1 AS bigint[]), CAST($2 AS text[])) AS e(id, ended) WHERE id = e.id"
        ));
        let columns = vec![("id", ints([1, 2])), ("ended", same_text("x", 2))];
        assert_eq!(
            postgres(sql, &columns),
            "UPDATE people SET ended = CAST($2 AS text), people.id = e.id \
             FROM unnest(CAST($1 AS bigint[])) AS e(id) WHERE id = e.id"
        );
    }

    #[test]
    fn many_rows_are_inserted_at_once_and_what_is_the_same_is_said_once() {
        let sql = "INSERT INTO people (id, kind, at) SELECT e.id, e.kind, e.at + 1 FROM ROWS";
        let columns =
            vec![("id", ints([1, 2])), ("kind", texts([Some("x"), None])), ("at", same(5, 2))];
        assert_eq!(
            sqlite(sql, 2, &columns).trim_end(),
            "INSERT OR FAIL INTO people (id, kind, at) VALUES (?1, ?2, ?3 + 1 ), (?4, ?5, ?3 + 1 )"
        );
        assert!(only_inserts(sql));
        let insert = "INSERT INTO t (id) SELECT e.id FROM ROWS WHERE TRUE ON CONFLICT (id) DO";
        assert!(only_inserts(&format!("{insert} NOTHING")));
        assert!(!only_inserts(&format!("{insert} UPDATE SET at = 1")));
        assert!(!only_inserts("UPDATE t SET at = e.at FROM ROWS WHERE t.id = e.id"));
    }
}
