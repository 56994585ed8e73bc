//! The suppression list as a submit caches it from chunk to chunk.

use std::sync::{Arc, Mutex, PoisonError};

use db::Conn;

use crate::error::Result;
use crate::people::hash_key::HashKey;
use crate::people::suppression_filter::SuppressionFilter;

/// The purpose of the secret that keys the hashes.
pub(crate) const PURPOSE: &str = "suppression";

/// The key and the filter with which people are found on the list.
pub(crate) struct SuppressionList {
    pub(crate) key: HashKey,
    pub(crate) filter: SuppressionFilter,
}

/// Identifies the contents of the list at one moment. Each version is a random number, so that two transactions never give
/// the same version to different lists, even if one of them is rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SuppressionVersion(pub(crate) i64);

/// The list as last read. Cheap to clone; clones share the list.
#[derive(Clone, Default)]
pub(crate) struct KnownSuppressions(Arc<Mutex<Option<Known>>>);

type Known = (SuppressionVersion, Option<Arc<SuppressionList>>);

impl SuppressionList {
    /// Returns the key of this database's list, if the list has entries.
    pub(crate) async fn key(conn: &mut Conn) -> Result<Option<HashKey>> {
        let secret: Option<(String,)> = conn
            .fetch_optional(
                "SELECT secret FROM secrets WHERE purpose = $1
                 AND EXISTS (SELECT 1 FROM suppressions) ORDER BY id LIMIT 1",
                &[&PURPOSE],
            )
            .await?;
        Ok(secret.map(|(secret,)| HashKey::new(&secret)))
    }
}

impl SuppressionVersion {
    /// Reads the current version without a lock.
    pub(crate) async fn read(conn: &mut Conn) -> Result<SuppressionVersion> {
        let found: Option<(i64,)> = conn
            .fetch_optional("SELECT suppression_version FROM reveal_ids WHERE one = 1", &[])
            .await?;
        Ok(SuppressionVersion(found.map_or(0, |(version,)| version)))
    }

    /// Stores a new version, since entries were added to the list.
    pub(super) async fn change(conn: &mut Conn) -> Result<()> {
        let version = rand::random::<i64>();
        conn.execute("UPDATE reveal_ids SET suppression_version = $1 WHERE one = 1", &[&version])
            .await?;
        Ok(())
    }
}

impl KnownSuppressions {
    /// Returns the list of this version, and reads the list if this version is not cached. Returns `None` if the list is empty.
    pub(crate) async fn of(
        &self,
        conn: &mut Conn,
        version: SuppressionVersion,
    ) -> Result<Option<Arc<SuppressionList>>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, list)) = known.filter(|(known, _)| *known == version) {
            return Ok(list);
        }
        let list = match SuppressionList::key(conn).await? {
            Some(key) => {
                let filter = SuppressionFilter::read(conn).await?;
                Some(Arc::new(SuppressionList { key, filter }))
            }
            None => None,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((version, list.clone()));
        Ok(list)
    }
}

/// Prints nothing of the list.
impl std::fmt::Debug for KnownSuppressions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KnownSuppressions")
    }
}
