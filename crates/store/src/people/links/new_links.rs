//! Evidence that is stated now, as far as the ledger has to save it.

use std::collections::BTreeMap;
use std::sync::Arc;

use db::Conn;
use jobs::identity::Links;

use crate::error::Result;
use crate::people::links::{NewLink, read};

/// The evidence of the ledger and, on top of it, what is stated now.
pub(crate) struct NewLinks {
    pub(crate) links: Links,
    /// Whether a batch other than the one that states this is loading. What such a batch stated may be taken back, so
    /// it doesn't stand in place of a second statement.
    others_load: bool,
    new: BTreeMap<(Arc<str>, Arc<str>), NewLink>,
}

impl NewLinks {
    /// Reads the evidence that bears on the persons behind these identifiers. `batch` is the batch whose rows are to be
    /// added, if it is a batch.
    pub(crate) async fn read(
        conn: &mut Conn,
        identifiers: impl IntoIterator<Item = Arc<str>>,
        batch: Option<i64>,
    ) -> Result<NewLinks> {
        let links = read(conn, identifiers).await?;
        let loading: Option<(i64,)> = conn
            .fetch_optional(
                "SELECT id FROM batches WHERE published_at IS NULL AND id <> $1 LIMIT 1",
                &[&batch.unwrap_or(0)],
            )
            .await?;
        Ok(NewLinks { links, others_load: loading.is_some(), new: BTreeMap::new() })
    }

    /// Adds a statement that two identifiers belong to one person, and the row that makes it, if it is a row.
    pub(crate) fn add(&mut self, one: &Arc<str>, other: &Arc<str>, row: Option<i64>) {
        let new = self.links.join(one, other);
        if new || (self.others_load && self.links.are_joined(one, other)) {
            let (one, other) = if one < other { (one, other) } else { (other, one) };
            let pair = (Arc::clone(one), Arc::clone(other));
            let link = NewLink { one: Arc::clone(one), other: Arc::clone(other), row };
            self.new.entry(pair).or_insert(link);
        }
    }

    /// Returns the evidence that is to be saved, each pair once.
    pub(crate) fn into_new(self) -> Vec<NewLink> {
        self.new.into_values().collect()
    }
}
