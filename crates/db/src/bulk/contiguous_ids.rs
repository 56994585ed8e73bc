//! Ranges among ids. Rows that were made together have contiguous ids and are mostly changed together: reading the table from
//! the first to the last takes a quarter to two thirds of the time of looking each up.

use std::ops::Range;

use crate::arg::{Arg, Ints};
use crate::conn::Conn;
use crate::dialect::Dialect;
use crate::error::Result;
use crate::record::Record;

/// So many that follow each other are worth a statement of their own.
const LONG: usize = 8;

/// Some of a list's numbers, by their places in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// They follow each other.
    Range(Range<usize>),
    /// They don't.
    Others(Range<usize>),
}

/// The list in parts. `follows` says of each place but the first whether the number there follows the one before.
pub(crate) fn parts(many: usize, follows: impl Fn(usize) -> bool) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut others = 0;
    let mut first = 0;
    while first < many {
        let end = (first + 1..many).find(|place| !follows(*place)).unwrap_or(many);
        if end - first >= LONG {
            if others < first {
                parts.push(Part::Others(others..first));
            }
            parts.push(Part::Range(first..end));
            others = end;
        }
        first = end;
    }
    if others < many {
        parts.push(Part::Others(others..many));
    }
    parts
}

/// Runs a query for the rows of a table whose key is one of `ids`: each run of contiguous ids as a range, the others by an array.
/// `FROM IDS OF table t BY t.key` in the text names the table and its key.
///
/// # Errors
/// Those of the database.
pub async fn fetch_by_ids<T: Record>(
    conn: &mut Conn,
    sql: &'static str,
    ids: &[i64],
) -> Result<Vec<T>> {
    let mut all = Vec::new();
    for part in parts(ids.len(), |place| ids[place] == ids[place - 1] + 1) {
        all.append(&mut match part {
            Part::Range(places) => {
                let args: [&dyn Arg; 2] = [&ids[places.start], &ids[places.end - 1]];
                conn.fetch_all(text(sql, Form::Range), &args).await
            }
            Part::Others(places) => {
                conn.fetch_all(text(sql, Form::Array), &[&Ints::of(&ids[places])]).await
            }
        }?);
    }
    Ok(all)
}

/// How the ids are given.
#[derive(Clone, Copy)]
enum Form {
    /// As the first and the last.
    Range = 1,
    /// As an array.
    Array = 2,
}

fn text(sql: &'static str, form: Form) -> &'static str {
    // Neither database's own words yet: `fetch_all` translates the text like any other.
    Dialect::Sqlite.translated(sql, form as usize, || written_out(sql, form).into())
}

fn written_out(sql: &str, form: Form) -> String {
    let (select, rest) = sql.split_once("FROM IDS OF ").unwrap_or((sql, ""));
    let (table, rest) = rest.split_once(" BY ").unwrap_or((rest, ""));
    let (key, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    match form {
        Form::Range => format!("{select}FROM {table} WHERE {key} BETWEEN $1 AND $2 {rest}"),
        Form::Array => format!("{select}FROM IDS($1) AS e JOIN {table} ON {key} = e.value {rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts_of(ids: &[i64]) -> Vec<Part> {
        parts(ids.len(), |place| ids[place] == ids[place - 1] + 1)
    }

    #[test]
    fn a_query_is_written_out_in_both_forms() {
        let sql = "SELECT p.id FROM IDS OF people p BY p.id ORDER BY p.id";
        assert_eq!(
            written_out(sql, Form::Range),
            "SELECT p.id FROM people p WHERE p.id BETWEEN $1 AND $2 ORDER BY p.id"
        );
        assert_eq!(
            written_out(sql, Form::Array),
            "SELECT p.id FROM IDS($1) AS e JOIN people p ON p.id = e.value ORDER BY p.id"
        );
    }

    #[test]
    fn what_follows_is_a_range_and_the_rest_lies_between() {
        let ids: Vec<i64> =
            [3, 4].into_iter().chain(10..20).chain([30, 29]).chain(50..58).collect();
        let expected =
            [Part::Others(0..2), Part::Range(2..12), Part::Others(12..14), Part::Range(14..22)];
        assert_eq!(parts_of(&ids), expected);
        assert_eq!(parts_of(&[1, 2, 3, 9]), [Part::Others(0..4)]);
        assert_eq!(parts_of(&[]), []);
    }
}
