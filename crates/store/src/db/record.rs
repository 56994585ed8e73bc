//! Rows of a query as tuples or as records whose fields are named like its columns, on both databases.

use jobs::Credits;
use rusqlite::Row;
use rusqlite::types::FromSql;
use sqlx::postgres::PgRow;

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

plain_fields!(i64 f64 String Option<i64> Option<f64> Option<String>);

/// Columns hold thousandths.
impl Field for Credits {
    fn read(row: &Row<'_>, name: &str, places: &mut Places) -> rusqlite::Result<Self> {
        i64::read(row, name, places).map(Credits::from_thousandths)
    }

    fn read_postgres(row: &PgRow, name: &str) -> sqlx::Result<Self> {
        i64::read_postgres(row, name).map(Credits::from_thousandths)
    }
}

impl Field for Option<Credits> {
    fn read(row: &Row<'_>, name: &str, places: &mut Places) -> rusqlite::Result<Self> {
        Ok(Option::<i64>::read(row, name, places)?.map(Credits::from_thousandths))
    }

    fn read_postgres(row: &PgRow, name: &str) -> sqlx::Result<Self> {
        Ok(Option::<i64>::read_postgres(row, name)?.map(Credits::from_thousandths))
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
        $vis struct $name {
            $($(#[$field_meta])* $field_vis $field: $type,)*
        }

        impl $crate::db::record::Record for $name {
            fn read(
                row: &rusqlite::Row<'_>,
                places: &mut $crate::db::record::Places,
            ) -> rusqlite::Result<Self> {
                Ok($name {
                    $($field: $crate::db::record::Field::read(row, stringify!($field), places)?,)*
                })
            }
        }

        impl sqlx::FromRow<'_, sqlx::postgres::PgRow> for $name {
            fn from_row(row: &sqlx::postgres::PgRow) -> sqlx::Result<Self> {
                Ok($name {
                    $($field: $crate::db::record::Field::read_postgres(row, stringify!($field))?,)*
                })
            }
        }

        impl $crate::db::record::Field for $name {
            fn read(
                row: &rusqlite::Row<'_>,
                _name: &str,
                places: &mut $crate::db::record::Places,
            ) -> rusqlite::Result<Self> {
                $crate::db::record::Record::read(row, places)
            }

            fn read_postgres(row: &sqlx::postgres::PgRow, _name: &str) -> sqlx::Result<Self> {
                sqlx::FromRow::from_row(row)
            }
        }
    };
}

pub(crate) use record;
