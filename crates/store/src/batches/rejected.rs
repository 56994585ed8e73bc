//! Rows that a submit left out because they were bad. An export returns each in its place.

use db::bulk::{ints, same, texts, write_rows};
use db::{Conn, Durability, record};

use crate::batches::Batches;
use crate::batches::loading::Loading;
use crate::decode::BatchRef;
use crate::error::Result;
use crate::people::marks::Marks;

/// Rows that go into one transaction.
const AT_ONCE: usize = 1_000;

record! {
    /// A bad row.
    #[derive(Debug, Clone)]
    pub struct RejectedRow {
        /// Its place among the bad rows of its batch, from 1.
        pub position: i64,
        /// The number of the good row before the bad one; 0 if there is none.
        pub after_row: i64,
        /// The caller's columns, as far as they could be parsed.
        pub fields: String,
        /// Why the row is bad, in words.
        pub reason: String,
    }
}

impl Batches<'_> {
    /// Keeps bad rows of a batch that is being loaded. They are durable with [`Batches::publish`].
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn load_rejected(self, batch: &Loading, rejected: Vec<RejectedRow>) -> Result<()> {
        for some in rejected.chunks(AT_ONCE) {
            let (id, some) = (batch.id, some.to_vec());
            self.store
                .db
                .write_with(Durability::WithTheNext, move |conn| {
                    Box::pin(async move { insert(conn, id, some).await })
                })
                .await?;
        }
        Ok(())
    }

    /// Returns up to `most` bad rows of a batch after the position `after`, in order.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn rejected_rows(
        self,
        batch: &BatchRef,
        after: i64,
        most: usize,
    ) -> Result<Vec<RejectedRow>> {
        let mut conn = self.store.db.read().await?;
        Ok(conn
            .fetch_all(
                "SELECT position, after_row, fields, reason FROM rejected_rows
                 WHERE batch_id = $1 AND position > $2 ORDER BY position LIMIT $3",
                &[&batch.id, &after, &(most as i64)],
            )
            .await?)
    }
}

async fn insert(conn: &mut Conn, batch: i64, rejected: Vec<RejectedRow>) -> Result<()> {
    let columns = vec![
        ("batch", same(batch, rejected.len())),
        ("position", ints(rejected.iter().map(|row| row.position))),
        ("after_row", ints(rejected.iter().map(|row| row.after_row))),
        ("reason", texts(rejected.iter().map(|row| Some(row.reason.as_str())))),
        ("fields", texts(rejected.into_iter().map(|row| Some(row.fields)))),
    ];
    write_rows(
        conn,
        "INSERT INTO rejected_rows (batch_id, position, after_row, reason, fields)
         SELECT e.batch, e.position, e.after_row, e.reason, e.fields FROM ROWS",
        columns,
    )
    .await?;
    Ok(())
}

record! {
    /// A bad row of any batch, with the fields that may name a person.
    struct FieldsRow {
        batch_id: i64,
        position: i64,
        fields: String,
    }
}

/// Deletes bad rows that name a person. All bad rows are read, since their fields have no index.
pub(crate) async fn erase(conn: &mut Conn, marks: &Marks) -> Result<()> {
    let (mut batch, mut position) = (0, 0);
    loop {
        let some: Vec<FieldsRow> = conn.fetch_all(
            "SELECT batch_id, position, fields FROM rejected_rows
             WHERE batch_id > $1 OR (batch_id = $1 AND position > $2) ORDER BY batch_id, position LIMIT $3",
            &[&batch, &position, &(AT_ONCE as i64)],
        )
        .await?;
        let Some(last) = some.last() else { return Ok(()) };
        (batch, position) = (last.batch_id, last.position);
        for row in some.iter().filter(|row| marks.are_in(&row.fields)) {
            conn.execute(
                "DELETE FROM rejected_rows WHERE batch_id = $1 AND position = $2",
                &[&row.batch_id, &row.position],
            )
            .await?;
        }
    }
}
