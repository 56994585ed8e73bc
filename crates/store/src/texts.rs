//! A set of texts as one parameter, for `TEXTS($1)`.

use std::sync::Arc;

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, Value};
use sqlx::Postgres;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo};

use crate::totals::json;

/// Postgres takes it as an array, SQLite as JSON.
#[derive(Debug, Clone)]
pub(crate) struct Texts(Arc<Vec<String>>);

impl Texts {
    pub(crate) fn of<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Self {
        Texts(Arc::new(texts.into_iter().map(|text| text.as_ref().to_owned()).collect()))
    }
}

impl ToSql for Texts {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(Value::Text(json(&*self.0))))
    }
}

impl sqlx::Type<Postgres> for Texts {
    fn type_info() -> PgTypeInfo {
        <Vec<String> as sqlx::Type<Postgres>>::type_info()
    }
}

impl sqlx::Encode<'_, Postgres> for Texts {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        self.0.encode_by_ref(buffer)
    }
}
