//! Where the two databases' statements differ. Each statement is written once, and translated to both.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

/// Whose form a statement has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// SQLite's.
    Sqlite,
    /// Postgres'.
    Postgres,
}

/// Statements by their place in the program, and for how many rows: each is translated once.
type Translated = RwLock<HashMap<(Dialect, usize, usize, usize), &'static str>>;

static TRANSLATED: LazyLock<Translated> = LazyLock::new(RwLock::default);

impl Dialect {
    /// This database's form of a statement.
    pub fn text_of(self, sql: &'static str) -> &'static str {
        self.translated(sql, 0, || self.translate(sql))
    }

    /// What `translate` makes of a statement for so many rows, asked once for each statement.
    pub(crate) fn translated(
        self,
        sql: &'static str,
        rows: usize,
        translate: impl FnOnce() -> Cow<'static, str>,
    ) -> &'static str {
        let key = (self, sql.as_ptr() as usize, sql.len(), rows);
        if let Some(text) = TRANSLATED.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return text;
        }
        let text: &'static str = match translate() {
            Cow::Borrowed(same) => same,
            // Kept for good; the program holds a few hundred statements.
            Cow::Owned(text) => Box::leak(text.into_boxed_str()),
        };
        TRANSLATED.write().unwrap_or_else(PoisonError::into_inner).insert(key, text);
        text
    }

    fn translate(self, sql: &'static str) -> Cow<'static, str> {
        match self {
            Dialect::Sqlite => sqlite(sql),
            Dialect::Postgres => postgres(sql),
        }
    }
}

/// Parameters have numbers only as `?1`; `$1` would be a name. `IDS($1)` and `TEXTS($1)` are the elements of an array.
/// Rows need no locks, since there is one writer.
fn sqlite(sql: &'static str) -> Cow<'static, str> {
    elements_first(rewrite(
        sql,
        &[
            ("$1", "?1"),
            ("$2", "?2"),
            ("$3", "?3"),
            ("$4", "?4"),
            ("$5", "?5"),
            ("$6", "?6"),
            ("$7", "?7"),
            ("$8", "?8"),
            ("$9", "?9"),
            ("IDS(", "rarray("),
            ("TEXTS(", "rarray("),
            (" FOR NO KEY UPDATE", ""),
            (" FOR UPDATE SKIP LOCKED", ""),
            (" FOR UPDATE OF r", ""),
            (" FOR UPDATE OF c", ""),
            (" FOR UPDATE", ""),
        ],
    ))
}

/// SQLite's planner takes an array for long and may read it once for each row of a table. `CROSS`
/// before the `JOIN` says: each element first, then the table by its index.
fn elements_first(sql: Cow<'static, str>) -> Cow<'static, str> {
    const ELEMENTS: &str = "(?1) AS e";
    if !sql.contains(ELEMENTS) {
        return sql;
    }
    let mut pieces = sql.split(ELEMENTS);
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        text.push_str(ELEMENTS);
        if piece.trim_start().starts_with("JOIN ") {
            text.push_str(" CROSS");
        }
        text.push_str(piece);
    }
    Cow::Owned(text)
}

fn postgres(sql: &'static str) -> Cow<'static, str> {
    rewrite(
        sql,
        &[
            ("IDS($1) AS e", "unnest(CAST($1 AS bigint[])) AS e(value)"),
            ("TEXTS($1) AS e", "unnest(CAST($1 AS text[])) AS e(value)"),
        ],
    )
}

fn rewrite(sql: &'static str, replacements: &[(&str, &str)]) -> Cow<'static, str> {
    replacements.iter().fold(Cow::Borrowed(sql), |text, (from, to)| {
        if text.contains(from) { Cow::Owned(text.replace(from, to)) } else { text }
    })
}
