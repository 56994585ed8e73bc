//! A person's rows: rows that show the person, and other rows that name them.

use std::collections::BTreeSet;

use db::bulk::{ints, write_rows};
use db::{Conn, Ints, Texts, Traces, record};
use jobs::Timestamp;

use crate::error::Result;
use crate::people::erased::end_rows;
use crate::people::marks::Marks;

/// Rows that one query reads.
const AT_ONCE: i64 = 1_000;

/// A row of a batch.
#[derive(Clone)]
pub(super) struct Place {
    batch: i64,
    number: i64,
}

record! {
    /// A row that may name the person.
    struct FieldsRow {
        batch_id: i64,
        row_number: i64,
        fields: String,
    }
}

/// Returns the rows whose fields contain an identifier of the person. They may show no person, if the person is suppressed,
/// or another person, if the row contradicts other rows.
pub(super) async fn naming(conn: &mut Conn, marks: &Marks) -> Result<Vec<Place>> {
    let escaped =
        |needle: String| needle.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_");
    let needles = Texts::of(marks.needles().into_iter().map(escaped));
    let (mut batch, mut number, mut naming) = (0, 0, Vec::new());
    loop {
        let some: Vec<FieldsRow> = conn
            .fetch_all(
                r"SELECT /* scan */ w.batch_id, w.row_number, w.fields FROM batch_rows w
              WHERE (w.batch_id > $2 OR (w.batch_id = $2 AND w.row_number > $3))
                AND EXISTS (SELECT 1 FROM TEXTS($1) AS e
                            WHERE LOWER(w.fields) LIKE '%' || e.value || '%' ESCAPE '\')
              ORDER BY w.batch_id, w.row_number LIMIT $4",
                &[&needles, &batch, &number, &AT_ONCE],
            )
            .await?;
        let Some(last) = some.last() else { return Ok(naming) };
        (batch, number) = (last.batch_id, last.row_number);
        let named = some.into_iter().filter(|row| marks.identify(&row.fields));
        naming.extend(named.map(|row| Place { batch: row.batch_id, number: row.row_number }));
    }
}

/// Notes the texts in the rows that show the person, before they are deleted.
pub(super) async fn note(
    conn: &mut Conn,
    reveals: &[i64],
    marks: &mut Marks,
    traces: &mut Traces,
) -> Result<BTreeSet<String>> {
    let found: Vec<(String, Option<String>)> = conn
        .fetch_all(
            "SELECT w.fields, b.header FROM IDS($1) AS e
             JOIN batch_rows w ON w.reveal_id = e.value JOIN batches b ON b.id = w.batch_id",
            &[&Ints::of(reveals)],
        )
        .await?;
    let mut cells = BTreeSet::new();
    for (fields, header) in found {
        marks.add_emails(header.as_deref(), &fields);
        cells.extend(cells_of(&fields));
        traces.add(&fields);
    }
    Ok(cells)
}

/// Returns the texts in a row's cells, in lower case.
fn cells_of(fields: &str) -> Vec<String> {
    use serde_json::Value;
    let cells: Vec<Value> = match serde_json::from_str(fields) {
        Ok(Value::Array(cells)) => cells,
        Ok(Value::Object(object)) => object.into_iter().map(|(_, value)| value).collect(),
        _ => Vec::new(),
    };
    cells.iter().filter_map(|cell| cell.as_str().map(str::to_lowercase)).collect()
}

/// Ends the person's rows, and keeps no columns of these rows or of other rows that name the person.
pub(super) async fn empty(
    conn: &mut Conn,
    reveals: &[i64],
    naming: &[Place],
    now: Timestamp,
) -> Result<u64> {
    let ended = end_rows(conn, reveals, now).await?;
    let columns = vec![
        ("batch", ints(naming.iter().map(|row| row.batch))),
        ("number", ints(naming.iter().map(|row| row.number))),
    ];
    let others = write_rows(
        conn,
        "UPDATE batch_rows SET
            fields = CASE WHEN (SELECT b.header FROM batches b WHERE b.id = batch_rows.batch_id) IS NULL
                          THEN '{}' ELSE '[]' END
         FROM ROWS WHERE batch_rows.batch_id = e.batch AND batch_rows.row_number = e.number
           AND batch_rows.fields NOT IN ('{}', '[]')",
        columns,
    )
    .await?;
    Ok(ended + others)
}
