//! Work that becomes due by time alone, in all areas.

use jobs::Policy;

use crate::calls::deadlines::Swept;
use crate::error::Result;
use crate::store::Store;

impl Store {
    /// Does the work that becomes due by time alone.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn sweep_overdue(&self, policy: &Policy) -> Result<Swept> {
        self.sweep(policy, true).await
    }

    /// Does the same as [`Store::sweep_overdue`]. Unless `time_is_sure`, nothing expires and nothing is sent again: a clock
    /// that jumped ahead would end all calls at once.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn sweep(&self, policy: &Policy, time_is_sure: bool) -> Result<Swept> {
        self.calls().bring_back_what_is_too_far_ahead(policy).await?;
        self.batches().sweep_cancelled_batches().await?;
        self.workers().note_what_is_off(policy).await?;
        self.batches().sweep_owners_due().await?;
        self.calls().sweep(policy, time_is_sure).await
    }
}
