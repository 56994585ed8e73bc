//! One connection to a Postgres server.

use sqlx::PgConnection;
use sqlx::postgres::PgArguments;

use crate::error::Result;
use crate::postgres::plan_check::reads_all;
use crate::record::Record;
use crate::schema::Schema;

/// A connection, for one statement in Postgres' form.
pub(crate) struct Pg<'c> {
    pub(crate) conn: &'c mut PgConnection,
    /// The tables that no statement on it may read whole.
    pub(crate) schema: Option<&'static Schema>,
}

impl Pg<'_> {
    /// Runs the statement; returns the number of rows it changed.
    pub(crate) async fn execute(
        mut self,
        sql: &'static str,
        arguments: PgArguments,
    ) -> Result<u64> {
        self.check_plan(sql, &arguments).await?;
        Ok(sqlx::query_with(sql, arguments).execute(self.conn).await?.rows_affected())
    }

    /// Returns all rows of the query.
    pub(crate) async fn fetch_all<T: Record>(
        mut self,
        sql: &'static str,
        arguments: PgArguments,
    ) -> Result<Vec<T>> {
        self.check_plan(sql, &arguments).await?;
        Ok(sqlx::query_as_with(sql, arguments).fetch_all(self.conn).await?)
    }

    /// Returns the first row of the query, if there is one.
    pub(crate) async fn fetch_optional<T: Record>(
        mut self,
        sql: &'static str,
        arguments: PgArguments,
    ) -> Result<Option<T>> {
        self.check_plan(sql, &arguments).await?;
        Ok(sqlx::query_as_with(sql, arguments).fetch_optional(self.conn).await?)
    }

    async fn check_plan(&mut self, sql: &'static str, arguments: &PgArguments) -> Result<()> {
        if let Some(schema) = self.schema
            && cfg!(debug_assertions)
        {
            let scan = reads_all(self.conn, schema, sql, arguments.clone()).await?;
            assert_eq!(scan, None, "{sql}");
        }
        Ok(())
    }
}
