use std::collections::VecDeque;

use jobs::Credits;
use store::{BatchRef, ExportRow, RejectedRow, Store, StoreError};

/// Rows in one read.
const AT_ONCE: usize = 1_000;

/// The rows that a submit left out, in their order.
pub struct Rejected {
    store: Store,
    /// `None` if the rows are not wanted, or all were read.
    batch: Option<BatchRef>,
    read: VecDeque<RejectedRow>,
    last: i64,
}

impl Rejected {
    /// The bad rows of a batch, if they are wanted.
    pub fn of(store: &Store, batch: &BatchRef, wanted: bool) -> Self {
        let batch = wanted.then(|| batch.clone());
        Rejected { store: store.clone(), batch, read: VecDeque::new(), last: 0 }
    }

    /// Returns the next bad row, if it comes before this row.
    pub async fn next_before(&mut self, row: i64) -> Result<Option<RejectedRow>, StoreError> {
        if self.read.is_empty()
            && let Some(batch) = &self.batch
        {
            self.read = self.store.batches().rejected_rows(batch, self.last, AT_ONCE).await?.into();
            match self.read.back() {
                Some(last) => self.last = last.position,
                None => self.batch = None,
            }
        }
        Ok(self.read.pop_front_if(|rejected| rejected.after_row < row))
    }
}

/// Returns a bad row as a row of the export.
pub fn shown(rejected: &RejectedRow) -> ExportRow<'_> {
    ExportRow {
        number: rejected.after_row,
        fields: &rejected.fields,
        state: "invalid",
        provider: None,
        phones: Vec::new(),
        credits: Credits::ZERO,
        reason: Some(&rejected.reason),
        revealed_at: None,
    }
}
