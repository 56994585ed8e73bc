//! The suppression list as a submit keeps it from chunk to chunk.

use std::sync::{Arc, Mutex, PoisonError};

use db::Conn;

use crate::error::Result;
use crate::people::hash_key::HashKey;
use crate::people::suppression_filter::SuppressionFilter;

/// Which secret keys the hashes.
pub(crate) const PURPOSE: &str = "suppression";

/// What is needed to find people on the list.
pub(crate) struct SuppressionList {
    pub(crate) key: HashKey,
    pub(crate) filter: SuppressionFilter,
}

/// Stands for what was on the list at a moment. A random number each, so that two transactions never give the same one to
/// different lists, whichever of them is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SuppressionVersion(pub(crate) i64);

/// The list as it was when it was last needed. Cheap to clone; its clones share it.
#[derive(Clone, Default)]
pub(crate) struct KnownSuppressions(Arc<Mutex<Option<Known>>>);

type Known = (SuppressionVersion, Option<Arc<SuppressionList>>);

impl SuppressionList {
    /// The key of this database's list, if anything is on it.
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
    /// The version of now, where nothing is locked.
    pub(crate) async fn read(conn: &mut Conn) -> Result<SuppressionVersion> {
        let found: Option<(i64,)> = conn
            .fetch_optional("SELECT suppression_version FROM reveal_ids WHERE one = 1", &[])
            .await?;
        Ok(SuppressionVersion(found.map_or(0, |(version,)| version)))
    }

    /// Says that something was added to the list.
    pub(super) async fn change(conn: &mut Conn) -> Result<()> {
        let version = rand::random::<i64>();
        conn.execute("UPDATE reveal_ids SET suppression_version = $1 WHERE one = 1", &[&version])
            .await?;
        Ok(())
    }
}

impl KnownSuppressions {
    /// The list of this version, read anew if another one is known; `None` if nothing is on it.
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

/// Shows nothing of the list.
impl std::fmt::Debug for KnownSuppressions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KnownSuppressions")
    }
}
