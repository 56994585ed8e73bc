//! Rows of a query as tuples or as records whose fields are named like its columns: what sqlx derives
//! for Postgres, once more for SQLite.

use rusqlite::Row;
use rusqlite::types::FromSql;

/// What a row of a query becomes.
pub(crate) trait Record: Sized {
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

/// Where the columns of a record stand in a query's rows, in the order in which its fields are read. They are looked
/// for by their names in the first row only: comparing names cost a tenth of an export.
#[derive(Default)]
pub(crate) struct Places {
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
pub(crate) trait Field: Sized {
    fn read(row: &Row<'_>, name: &str, places: &mut Places) -> rusqlite::Result<Self>;
}

impl<T: FromSql> Field for T {
    fn read(row: &Row<'_>, name: &str, places: &mut Places) -> rusqlite::Result<Self> {
        row.get(places.of(row, name)?)
    }
}

macro_rules! tuples {
    ($($name:ident)+) => {
        tuples!(@one [] $($name)+);
    };
    (@one [$($done:ident)*] $next:ident $($rest:ident)*) => {
        impl<$($done: FromSql,)* $next: FromSql> Record for ($($done,)* $next,) {
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

/// Declares a record.
macro_rules! record {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$field_meta:meta])* $field_vis:vis $field:ident: $type:ty,)*
    }) => {
        $(#[$meta])*
        #[derive(sqlx::FromRow)]
        $vis struct $name {
            $($(#[$field_meta])* $field_vis $field: $type,)*
        }

        impl $crate::record::Record for $name {
            fn read(
                row: &rusqlite::Row<'_>,
                places: &mut $crate::record::Places,
            ) -> rusqlite::Result<Self> {
                Ok($name {
                    $($field: $crate::record::Field::read(row, stringify!($field), places)?,)*
                })
            }
        }

        impl $crate::record::Field for $name {
            fn read(
                row: &rusqlite::Row<'_>,
                _name: &str,
                places: &mut $crate::record::Places,
            ) -> rusqlite::Result<Self> {
                $crate::record::Record::read(row, places)
            }
        }
    };
}

pub(crate) use record;
