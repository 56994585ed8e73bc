//! Rows of a query as tuples or as records whose fields are named like its columns, on both databases.

use rusqlite::Row;
use rusqlite::types::FromSql;
use sqlx::FromRow;
use sqlx::postgres::PgRow;

/// What a row of a query becomes.
pub trait Record: Sized + Send + Unpin + for<'r> FromRow<'r, PgRow> {
    /// Reads its fields.
    fn read(row: &Row<'_>, places: &mut Places) -> rusqlite::Result<Self>;

    /// The first row.
    fn first(row: &Row<'_>) -> rusqlite::Result<Self> {
        Self::read(row, &mut Places::default())
    }

    /// Any row of a query whose rows are read with the same `places`.
    fn next(row: &Row<'_>, places: &mut Places) -> rusqlite::Result<Self> {
        places.next = 0;
        Self::read(row, places)
    }
}

/// The places of a record's columns in a query's rows, in the order in which its fields are read. They are looked
/// for by their names in the first row only: comparing names cost a tenth of an export.
#[derive(Default)]
pub struct Places {
    known: Vec<usize>,
    next: usize,
}

impl Places {
    fn of(&mut self, row: &Row<'_>, name: &str) -> rusqlite::Result<usize> {
        let place = match self.known.get(self.next) {
            Some(place) => *place,
            None => {
                let place = row.as_ref().column_index(name)?;
                self.known.push(place);
                place
            }
        };
        self.next += 1;
        Ok(place)
    }
}

/// A field of a record: a column, or a record among its columns.
pub trait Field: Sized {
    /// From a row of SQLite's.
    fn read(row: &Row<'_>, name: &str, places: &mut Places) -> rusqlite::Result<Self>;

    /// From a row of Postgres'.
    fn read_postgres(row: &PgRow, name: &str) -> sqlx::Result<Self>;
}

/// Fields that both drivers read as they are.
macro_rules! plain_fields {
    ($($type:ty)+) => {
        $(
            impl Field for $type {
                fn read(row: &Row<'_>, name: &str, places: &mut Places) -> rusqlite::Result<Self> {
                    row.get(places.of(row, name)?)
                }

                fn read_postgres(row: &PgRow, name: &str) -> sqlx::Result<Self> {
                    sqlx::Row::try_get(row, name)
                }
            }
        )+
    };
}

plain_fields!(i64 f64 String Vec<u8> Option<i64> Option<f64> Option<String> Option<Vec<u8>>);

macro_rules! tuples {
    ($($name:ident)+) => {
        tuples!(@one [] $($name)+);
    };
    (@one [$($done:ident)*] $next:ident $($rest:ident)*) => {
        impl<$($done: FromSql,)* $next: FromSql> Record for ($($done,)* $next,)
        where
            Self: Send + Unpin + for<'r> FromRow<'r, PgRow>,
        {
            fn read(row: &Row<'_>, _places: &mut Places) -> rusqlite::Result<Self> {
                let mut column = 0..;
                Ok(($(row.get::<_, $done>(column.next().unwrap_or(0))?,)*
                    row.get::<_, $next>(column.next().unwrap_or(0))?,))
            }
        }
        tuples!(@one [$($done)* $next] $($rest)*);
    };
    (@one [$($done:ident)*]) => {};
}

tuples!(A B C D E F G H I J K L M N O P);

/// Declares a record: a struct whose fields are named like the columns of the queries that it is read from. `name: Type =
/// convert` reads what `convert` takes.
#[macro_export]
macro_rules! record {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$field_meta:meta])* $field_vis:vis $field:ident: $type:ty $(= $convert:expr)?,)*
    }) => {
        $(#[$meta])*
        $vis struct $name {
            $($(#[$field_meta])* $field_vis $field: $type,)*
        }

        impl $crate::macros::Record for $name {
            fn read(
                row: &$crate::macros::rusqlite::Row<'_>,
                places: &mut $crate::macros::Places,
            ) -> $crate::macros::rusqlite::Result<Self> {
                Ok($name {
                    $($field: $(($convert))? (
                        $crate::macros::Field::read(row, stringify!($field), places)?
                    ),)*
                })
            }
        }

        impl $crate::macros::sqlx::FromRow<'_, $crate::macros::sqlx::postgres::PgRow> for $name {
            fn from_row(
                row: &$crate::macros::sqlx::postgres::PgRow,
            ) -> $crate::macros::sqlx::Result<Self> {
                Ok($name {
                    $($field: $(($convert))? (
                        $crate::macros::Field::read_postgres(row, stringify!($field))?
                    ),)*
                })
            }
        }

        impl $crate::macros::Field for $name {
            fn read(
                row: &$crate::macros::rusqlite::Row<'_>,
                _name: &str,
                places: &mut $crate::macros::Places,
            ) -> $crate::macros::rusqlite::Result<Self> {
                $crate::macros::Record::read(row, places)
            }

            fn read_postgres(
                row: &$crate::macros::sqlx::postgres::PgRow,
                _name: &str,
            ) -> $crate::macros::sqlx::Result<Self> {
                $crate::macros::sqlx::FromRow::from_row(row)
            }
        }
    };
}
