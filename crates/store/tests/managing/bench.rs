//! Helpers for commands, in addition to those for workers and submits.

use store::BatchRef;

use crate::harness::Bench;

impl Bench {
    /// A batch as commands name it.
    pub async fn batch(&self, number: i64) -> BatchRef {
        let sql = format!("SELECT batch_id FROM batches WHERE id = {number}");
        let (id,): (String,) = self.database.one(&sql).await;
        self.store.reports().find_batch(&id).await.expect("the batch is there")
    }

    /// Whether all rows of a batch are finished.
    pub async fn is_finished(&self, number: i64) -> bool {
        let sql =
            format!("SELECT COUNT(*) FROM batches WHERE id = {number} AND finished_at IS NOT NULL");
        self.database.number(&sql).await == 1
    }
}
