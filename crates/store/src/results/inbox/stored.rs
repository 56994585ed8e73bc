//! A webhook as it is stored.

use db::record;
use jobs::{Provider, Timestamp};

use crate::decode::parse_provider;
use crate::error::Result;

/// A stored webhook that waits to be applied.
#[derive(Clone)]
pub struct StoredWebhook {
    /// Its number in the inbox.
    pub id: i64,
    /// The provider whose URL it came to.
    pub provider: Provider,
    /// The call whose URL it came to.
    pub call_id: String,
    /// The raw body.
    pub body: Vec<u8>,
    /// When it was received.
    pub received_at: Timestamp,
}

record! {
    /// The same as a row.
    pub(super) struct StoredRow {
        id: i64,
        received_at: i64,
        provider: String,
        call_id: String,
        body: Option<Vec<u8>>,
    }
}

impl StoredWebhook {
    pub(super) fn from_row(row: StoredRow) -> Result<Self> {
        Ok(StoredWebhook {
            id: row.id,
            provider: parse_provider(&row.provider, row.id)?,
            call_id: row.call_id,
            body: row.body.unwrap_or_default(),
            received_at: Timestamp(row.received_at),
        })
    }
}
