//! Sets of values as one parameter: of texts for `TEXTS($1)`, as JSON for `EACH($1)` and `IDS($1)`.

use std::sync::Arc;

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, Value};
use serde::Serialize;
use sqlx::Postgres;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo};

/// Postgres takes it as an array, SQLite as JSON.
#[derive(Debug, Clone)]
pub struct Texts(Arc<[Arc<str>]>);

impl Texts {
    /// Of texts.
    pub fn of<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Self {
        Texts::shared(texts.into_iter().map(|text| text.as_ref().into()))
    }

    /// Of texts that others hold, too.
    pub fn shared(texts: impl IntoIterator<Item = Arc<str>>) -> Self {
        Texts(texts.into_iter().collect())
    }

    fn as_strs(&self) -> Vec<&str> {
        self.0.iter().map(|text| &**text).collect()
    }
}

impl ToSql for Texts {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(Value::Text(json(&self.as_strs()))))
    }
}

impl sqlx::Type<Postgres> for Texts {
    fn type_info() -> PgTypeInfo {
        <Vec<String> as sqlx::Type<Postgres>>::type_info()
    }
}

impl sqlx::Encode<'_, Postgres> for Texts {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        self.as_strs().encode_by_ref(buffer)
    }
}

/// A parameter for `EACH`, `IDS` or `TEXTS`.
pub fn json<T: Serialize>(value: &T) -> String {
    // Our own structs of numbers and texts always serialise; an empty list would be a silent no-op.
    serde_json::to_string(value).unwrap_or_else(|_| String::from("[]"))
}
