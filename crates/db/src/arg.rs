//! Parameters of a statement, and arrays among them.

use std::borrow::Borrow;
use std::ffi::CStr;
use std::sync::Arc;

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, Value};
use serde::Serialize;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgTypeInfo};
use sqlx::{Arguments, Encode, Postgres, Type};

/// The type of pointer that SQLite's `rarray` takes.
const RARRAY: &CStr = c"rarray";

/// A parameter that both databases take: a number, a text, bytes, an option of these, or an array ([`Ints`], [`Texts`]).
pub trait Arg: ToSql + Sync {
    /// Adds the value to the parameters of a Postgres statement.
    ///
    /// # Errors
    /// The value is too long for the protocol.
    fn add_to(&self, arguments: &mut PgArguments) -> Result<(), BoxDynError>;
}

impl<T: ToSql + Sync + Type<Postgres> + for<'q> Encode<'q, Postgres>> Arg for T {
    fn add_to(&self, arguments: &mut PgArguments) -> Result<(), BoxDynError> {
        arguments.add(self)
    }
}

/// An array of numbers, for `IDS($1)`.
#[derive(Debug, Clone)]
pub struct Ints(Vec<i64>);

impl Ints {
    /// Makes an array of the numbers.
    pub fn of<T: Borrow<i64>>(numbers: impl IntoIterator<Item = T>) -> Self {
        Ints(numbers.into_iter().map(|number| *number.borrow()).collect())
    }
}

impl ToSql for Ints {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(array(self.0.iter().map(|number| Value::Integer(*number))))
    }
}

impl Type<Postgres> for Ints {
    fn type_info() -> PgTypeInfo {
        <Vec<i64> as Type<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for Ints {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        self.0.encode_by_ref(buffer)
    }
}

/// An array of texts, for `TEXTS($1)`.
#[derive(Debug, Clone)]
pub struct Texts(Arc<[Arc<str>]>);

impl Texts {
    /// Makes an array of the texts.
    pub fn of<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Self {
        Texts::shared(texts.into_iter().map(|text| text.as_ref().into()))
    }

    /// Makes an array of texts without copying them.
    pub fn shared(texts: impl IntoIterator<Item = Arc<str>>) -> Self {
        Texts(texts.into_iter().collect())
    }
}

impl ToSql for Texts {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(array(self.0.iter().map(|text| Value::Text(text.as_ref().to_owned()))))
    }
}

impl Type<Postgres> for Texts {
    fn type_info() -> PgTypeInfo {
        <Vec<String> as Type<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for Texts {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        self.0.iter().map(|text| &**text).collect::<Vec<_>>().encode_by_ref(buffer)
    }
}

/// Values for `rarray`, SQLite's table of a bound array. In a box: rusqlite before 0.40 never frees the values of a shared
/// one.
fn array(values: impl Iterator<Item = Value>) -> ToSqlOutput<'static> {
    ToSqlOutput::new_boxed(values.collect::<Vec<_>>(), RARRAY)
}

/// A value as the text of a JSON column.
pub fn json<T: Serialize>(value: &T) -> String {
    // Our own structs of numbers and texts always serialise.
    serde_json::to_string(value).unwrap_or_else(|_| String::from("[]"))
}
