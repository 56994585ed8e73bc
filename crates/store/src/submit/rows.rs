//! Rows and the steps of their waterfalls, as they are written.

use jobs::Timestamp;
use serde::Serialize;

use super::Loading;
use crate::Result;
use crate::conn::{Conn, exec};
use crate::totals::json;

#[derive(Serialize)]
pub(super) struct RowJson {
    pub(super) number: i64,
    pub(super) fields: String,
    pub(super) reveal: Option<i64>,
    pub(super) shared: i64,
    pub(super) ended: Option<&'static str>,
}

#[derive(Serialize)]
pub(super) struct StepJson {
    pub(super) number: i64,
    pub(super) step: usize,
    pub(super) reveal: i64,
}

pub(super) async fn insert_rows(
    conn: &mut Conn,
    batch: &Loading,
    rows: &[RowJson],
    now: Timestamp,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    exec!(
        conn,
        "INSERT INTO batch_rows (batch_id, row_number, fields, reveal_id, shared, ended, ended_at)
         SELECT CAST($2 AS BIGINT), CAST(e.value->>'number' AS BIGINT), e.value->>'fields',
                CAST(e.value->>'reveal' AS BIGINT), CAST(e.value->>'shared' AS BIGINT), e.value->>'ended',
                CASE WHEN e.value->>'ended' IS NOT NULL THEN CAST($3 AS BIGINT) END
         FROM EACH($1) AS e",
        json(&rows),
        batch.id,
        now.0,
    )?;
    Ok(())
}

pub(super) async fn insert_waterfall(
    conn: &mut Conn,
    batch: &Loading,
    steps: &[StepJson],
) -> Result<()> {
    if steps.is_empty() {
        return Ok(());
    }
    exec!(
        conn,
        "INSERT INTO row_waterfall (batch_id, row_number, step, reveal_id)
         SELECT CAST($2 AS BIGINT), CAST(e.value->>'number' AS BIGINT), CAST(e.value->>'step' AS BIGINT),
                CAST(e.value->>'reveal' AS BIGINT)
         FROM EACH($1) AS e",
        json(&steps),
        batch.id,
    )?;
    Ok(())
}
