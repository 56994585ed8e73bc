//! Rows and the steps of their waterfalls, as they are written.

use db::Conn;
use db::bulk::{ints, same, same_text, texts, write_rows};
use jobs::Timestamp;

use crate::batches::loading::Loading;
use crate::error::Result;
use crate::people::suppressed::SUPPRESSED;

pub(super) struct NewBatchRow {
    pub(super) number: i64,
    pub(super) fields: String,
    pub(super) reveal: Option<i64>,
    /// The reveal whose numbers the row shows in addition to the displayed reveal.
    pub(super) kept: Option<i64>,
    pub(super) shared: i64,
}

pub(super) struct RowStep {
    pub(super) number: i64,
    pub(super) step: i64,
    pub(super) reveal: i64,
}

/// The rows of a chunk.
pub(super) struct Rows {
    pub(super) waiting: Vec<NewBatchRow>,
    pub(super) erased: Vec<NewBatchRow>,
    pub(super) suppressed: Vec<NewBatchRow>,
    pub(super) waterfall: Vec<RowStep>,
}

impl Rows {
    pub(super) async fn insert(
        self,
        conn: &mut Conn,
        batch: &Loading,
        now: Timestamp,
    ) -> Result<()> {
        insert_rows(conn, batch, self.waiting, None, now).await?;
        insert_rows(conn, batch, self.erased, Some("erased"), now).await?;
        insert_rows(conn, batch, self.suppressed, Some(SUPPRESSED), now).await?;
        insert_waterfall(conn, batch, &self.waterfall).await
    }
}

/// Writes rows that wait, or that ended at once, all for the same reason.
async fn insert_rows(
    conn: &mut Conn,
    batch: &Loading,
    rows: Vec<NewBatchRow>,
    ended: Option<&'static str>,
    now: Timestamp,
) -> Result<()> {
    let columns = vec![
        ("batch", same(batch.id, rows.len())),
        ("number", ints(rows.iter().map(|row| row.number))),
        ("reveal", ints(rows.iter().map(|row| row.reveal))),
        ("kept", ints(rows.iter().map(|row| row.kept))),
        ("shared", ints(rows.iter().map(|row| row.shared))),
        ("ended_at", same(ended.map(|_| now.0), rows.len())),
        ("ended", same_text(ended, rows.len())),
        ("fields", texts(rows.into_iter().map(|row| Some(row.fields)))),
    ];
    write_rows(
        conn,
        "INSERT INTO batch_rows (batch_id, row_number, reveal_id, kept_id, shared, ended_at, ended, fields)
         SELECT e.batch, e.number, e.reveal, e.kept, e.shared, e.ended_at, e.ended, e.fields FROM ROWS",
        columns,
    )
    .await?;
    Ok(())
}

async fn insert_waterfall(conn: &mut Conn, batch: &Loading, steps: &[RowStep]) -> Result<()> {
    let columns = vec![
        ("batch", same(batch.id, steps.len())),
        ("number", ints(steps.iter().map(|step| step.number))),
        ("step", ints(steps.iter().map(|step| step.step))),
        ("reveal", ints(steps.iter().map(|step| step.reveal))),
    ];
    write_rows(
        conn,
        "INSERT INTO row_waterfall (batch_id, row_number, step, reveal_id)
         SELECT e.batch, e.number, e.step, e.reveal FROM ROWS",
        columns,
    )
    .await?;
    Ok(())
}
