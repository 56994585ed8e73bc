//! The audit log: which actors changed the ledger by hand, or took people's numbers out of it. An entry is written in the
//! transaction of the action that it records, so neither exists without the other. No entry names a person who is asked
//! for.

use std::sync::Arc;

use db::{Conn, record};
use jobs::{BatchId, Provider, Timestamp};

use crate::actor::Actor;
use crate::error::Result;
use crate::store::Store;

/// An action that the audit log records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Cancel,
    Ceiling,
    Erase,
    Export,
    Pause,
    Priority,
    Purge,
    Replay,
    Resume,
    Retry,
    Rotate,
    Split,
    Suppress,
    Unsuppress,
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Action::Cancel => "cancel",
            Action::Ceiling => "ceiling",
            Action::Erase => "erase",
            Action::Export => "export",
            Action::Pause => "pause",
            Action::Priority => "priority",
            Action::Purge => "purge",
            Action::Replay => "replay",
            Action::Resume => "resume",
            Action::Retry => "retry",
            Action::Rotate => "rotate",
            Action::Split => "split",
            Action::Suppress => "suppress",
            Action::Unsuppress => "unsuppress",
        }
    }
}

/// An entry to be written. Its details are fixed words and counts, never an identifier, a phone number or a name.
pub(crate) struct Entry {
    action: Action,
    batch: Option<BatchId>,
    provider: Option<Provider>,
    details: Option<String>,
}

impl Entry {
    pub(crate) fn of(action: Action) -> Self {
        Entry { action, batch: None, provider: None, details: None }
    }

    pub(crate) fn batch(self, batch: BatchId) -> Self {
        Entry { batch: Some(batch), ..self }
    }

    pub(crate) fn provider(self, provider: Provider) -> Self {
        Entry { provider: Some(provider), ..self }
    }

    pub(crate) fn details(self, details: String) -> Self {
        Entry { details: Some(details), ..self }
    }

    /// Writes the entry in the transaction of the action that it records. Without an actor, the software acted by itself:
    /// the ledger shows that, so no entry is written.
    pub(crate) async fn write(
        self,
        conn: &mut Conn,
        actor: Option<Arc<Actor>>,
        now: Timestamp,
    ) -> Result<()> {
        let Some(actor) = actor else { return Ok(()) };
        conn.execute(
            "INSERT INTO audit_entries (at, origin, actor, role, action, batch_id, provider, details)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            &[
                &now.0,
                &actor.origin.as_str(),
                &actor.name.as_str(),
                &actor.role,
                &self.action.as_str(),
                &self.batch.map(|batch| batch.to_string()),
                &self.provider.map(Provider::as_str),
                &self.details,
            ],
        )
        .await?;
        Ok(())
    }
}

record! {
    /// A row of `audit_log`; the names are the view's.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[expect(missing_docs, reason = "the columns of the view, which docs/sql.md explains")]
    pub struct AuditEntry {
        pub entry_id: i64,
        pub at: String,
        pub origin: String,
        pub actor: String,
        pub role: Option<String>,
        pub action: String,
        pub batch_id: Option<String>,
        pub provider: Option<String>,
        pub details: Option<String>,
    }
}

/// Operations of the audit log.
#[derive(Clone, Copy)]
pub struct Audit<'s> {
    store: &'s Store,
}

impl Store {
    /// Operations of the audit log.
    #[must_use]
    pub fn audit(&self) -> Audit<'_> {
        Audit { store: self }
    }
}

impl Audit<'_> {
    /// Returns the audit log's entries, the newest first: up to `most`, older than the entry `before`.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn entries(self, before: Option<i64>, most: usize) -> Result<Vec<AuditEntry>> {
        let mut conn = self.store.db.read().await?;
        Ok(conn
            .fetch_all(
                "SELECT entry_id, at, origin, actor, role, action, batch_id, provider, details
                 FROM audit_log WHERE entry_id < $1 ORDER BY entry_id DESC LIMIT $2",
                &[&before.unwrap_or(i64::MAX), &(most as i64)],
            )
            .await?)
    }

    /// Writes an entry for an action that is no single transaction: reading, or work that is done piece by piece.
    pub(crate) async fn note(self, entry: Entry) -> Result<()> {
        let Some(actor) = self.store.actor() else { return Ok(()) };
        let now = self.store.now();
        self.store
            .db
            .write(move |conn| Box::pin(async move { entry.write(conn, Some(actor), now).await }))
            .await
    }
}
