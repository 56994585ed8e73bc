//! A statement for many rows of a table whose keys may be contiguous. It runs once for each range of keys, and takes the value
//! for each row from its place in a list.

use std::ops::Range;

use rusqlite::ToSql;
use sqlx::Arguments;
use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;

use crate::bulk::columns::{Column, Columns};
use crate::bulk::contiguous_ids::{Part, parts};
use crate::bulk::statement::{with_values, write_rows};
use crate::conn::{Conn, Raw};
use crate::dialect::Dialect;
use crate::error::Result;

/// By what a statement finds its rows: `WHERE table.key = e.key`.
pub struct Key {
    /// The table's column.
    pub of: &'static str,
    /// The rows' column, the first of them.
    pub by: &'static str,
    /// Another column by which it finds them.
    pub within: Option<&'static str>,
}

/// Runs `sql` for all rows, once for each range with contiguous keys and the same texts; gives the number of
/// rows it changed.
pub async fn write_ranges(
    conn: &mut Conn,
    sql: &'static str,
    key: &Key,
    columns: Columns,
) -> Result<u64> {
    let rows = columns.first().map_or(0, |(_, column)| column.len());
    let follows = |row| columns.iter().all(|(name, column)| key.follows(name, column, row));
    let mut changed = 0;
    for part in parts(rows, follows) {
        changed += match part {
            Part::Range(rows) => IdRange::of(&columns, rows).write(conn, sql, key).await?,
            Part::Others(rows) => {
                let slices =
                    columns.iter().map(|(name, column)| (*name, column.slice(rows.clone())));
                write_rows(conn, sql, slices.collect()).await?
            }
        }
    }
    Ok(changed)
}

impl Key {
    /// Whether a row belongs to the range that the one before it is of, as far as this column says.
    fn follows(&self, name: &str, column: &Column, row: usize) -> bool {
        match column {
            Column::Same(..) | Column::SameText(..) => true,
            Column::Ints(values) => match (values[row - 1], values[row]) {
                (before, this) if self.within == Some(name) => before == this,
                (Some(before), Some(this)) => name != self.by || before + 1 == this,
                _ => false,
            },
            Column::Texts(values) => values[row - 1] == values[row],
            _ => false,
        }
    }
}

/// Rows whose keys follow each other.
struct IdRange {
    first: i64,
    last: i64,
    columns: Vec<(&'static str, Value)>,
}

/// What the rows of a range hold in a column.
enum Value {
    Number(Option<i64>),
    Text(Option<String>),
    Numbers(Vec<i64>),
}

impl IdRange {
    fn of(columns: &Columns, rows: Range<usize>) -> IdRange {
        let values = columns.iter().map(|(name, column)| (*name, Value::of(column, rows.clone())));
        let mut columns: Vec<(&str, Value)> = values.collect();
        let (first, last) = match columns.remove(0).1 {
            Value::Numbers(keys) => (keys[0], keys[keys.len() - 1]),
            _ => (1, 0),
        };
        IdRange { first, last, columns }
    }

    async fn write(&self, conn: &mut Conn, sql: &'static str, key: &Key) -> Result<u64> {
        match conn.raw() {
            Raw::Sqlite(conn) => {
                let lists: Vec<Option<Vec<u8>>> =
                    self.columns.iter().map(|(_, value)| value.list()).collect();
                let mut params: Vec<&dyn ToSql> = vec![&self.first, &self.last];
                for ((_, value), list) in self.columns.iter().zip(&lists) {
                    params.push(match value {
                        Value::Number(number) => number,
                        Value::Text(text) => text,
                        Value::Numbers(_) => list,
                    });
                }
                conn.exec(self.text(sql, key, Dialect::Sqlite), &params)
            }
            Raw::Postgres(conn) => {
                let text = self.text(sql, key, Dialect::Postgres);
                conn.execute(text, self.arguments().map_err(sqlx::Error::Encode)?).await
            }
        }
    }

    /// The parameters for Postgres.
    fn arguments(&self) -> Result<PgArguments, BoxDynError> {
        let mut arguments = PgArguments::default();
        arguments.add(self.first)?;
        arguments.add(self.last)?;
        for (_, value) in &self.columns {
            match value {
                Value::Number(number) => arguments.add(number),
                Value::Text(text) => arguments.add(text),
                Value::Numbers(numbers) => arguments.add(numbers),
            }?;
        }
        Ok(arguments)
    }

    /// The database's form of the statement, of which there is one for each set of columns that hold lists.
    fn text(&self, sql: &'static str, key: &Key, dialect: Dialect) -> &'static str {
        let lists = (0..).zip(&self.columns).fold(0, |lists, (number, (_, value))| {
            lists | usize::from(matches!(value, Value::Numbers(_))) << number
        });
        dialect.translated(sql, usize::MAX - lists, || self.translate(sql, key, dialect).into())
    }

    fn translate(&self, sql: &str, key: &Key, dialect: Dialect) -> String {
        let Key { of, by, .. } = key;
        let (mark, first) = match dialect {
            Dialect::Sqlite => ('?', "?1"),
            Dialect::Postgres => ('$', "CAST($1 AS bigint)"),
        };
        let between = match dialect {
            Dialect::Sqlite => format!("{of} BETWEEN ?1 AND ?2"),
            Dialect::Postgres => format!("{of} BETWEEN {first} AND CAST($2 AS bigint)"),
        };
        let mut sql = sql.replace("FROM ROWS", "").replace(&format!("{of} = e.{by}"), &between);
        if dialect == Dialect::Sqlite {
            // Else it keeps a journal of the statement, in case it fails at a later row; the whole transaction is.
            sql = sql.replacen("UPDATE", "UPDATE OR FAIL", 1);
        }
        with_values(&sql, |name| {
            let place = self.columns.iter().position(|(of, _)| *of == name)?;
            let parameter = format!("{mark}{}", place + 3);
            Some(match (&self.columns[place].1, dialect) {
                (Value::Numbers(_), Dialect::Sqlite) => format!("nth({parameter}, {of} - {first})"),
                (Value::Numbers(_), Dialect::Postgres) => {
                    format!("(CAST({parameter} AS bigint[]))[{of} - {first} + 1]")
                }
                (_, Dialect::Sqlite) => parameter,
                (Value::Number(_), Dialect::Postgres) => format!("CAST({parameter} AS bigint)"),
                (Value::Text(_), Dialect::Postgres) => format!("CAST({parameter} AS text)"),
            })
        })
    }
}

impl Value {
    fn of(column: &Column, rows: Range<usize>) -> Value {
        match column {
            Column::Same(value, _) => Value::Number(*value),
            Column::SameText(value, _) => Value::Text(value.clone()),
            Column::Ints(values) => Value::of_numbers(&values[rows]),
            Column::Texts(values) => Value::Text(values[rows.start].clone()),
            // Never of a range.
            _ => Value::Text(None),
        }
    }

    fn of_numbers(values: &[Option<i64>]) -> Value {
        match values.iter().all(|value| *value == values[0]) {
            true => Value::Number(values[0]),
            false => Value::Numbers(values.iter().flatten().copied().collect()),
        }
    }

    /// As [`nth`] reads it.
    fn list(&self) -> Option<Vec<u8>> {
        match self {
            Value::Numbers(numbers) => Some(numbers.iter().flat_map(|n| n.to_le_bytes()).collect()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bulk::columns::ints;
    use crate::bulk::columns::same;
    use crate::bulk::columns::same_text;
    use crate::sqlite::functions::nth;
    use rusqlite::Connection;

    const KEY: Key = Key { of: "people.id", by: "id", within: None };

    #[test]
    fn each_database_gets_its_form() {
        let sql = "UPDATE people SET state = e.state, age = e.age, at = e.at FROM ROWS WHERE people.id = e.id";
        let columns = vec![
            ("id", ints([7, 8])),
            ("state", same_text("found", 2)),
            ("age", ints([1, 0])),
            ("at", same(5, 2)),
        ];
        let range = IdRange::of(&columns, 0..2);
        assert_eq!(
            range.translate(sql, &KEY, Dialect::Sqlite),
            "UPDATE OR FAIL people SET state = ?3, age = nth(?4, people.id - ?1), at = ?5  WHERE people.id BETWEEN ?1 AND ?2"
        );
        assert_eq!(
            range.translate(sql, &KEY, Dialect::Postgres),
            "UPDATE people SET state = CAST($3 AS text), age = (CAST($4 AS bigint[]))[people.id - CAST($1 AS bigint) + 1], \
             at = CAST($5 AS bigint)  WHERE people.id BETWEEN CAST($1 AS bigint) AND CAST($2 AS bigint)"
        );
    }

    #[test]
    fn the_nth_of_a_list() {
        let conn = Connection::open_in_memory().unwrap();
        nth(&conn).unwrap();
        let list = Value::Numbers(vec![5, -6]).list();
        let at = |place: i64| -> Option<i64> {
            conn.query_row("SELECT nth(?1, ?2)", (&list, place), |row| row.get(0)).unwrap()
        };
        assert_eq!((at(0), at(1), at(2)), (Some(5), Some(-6), None));
    }
}
