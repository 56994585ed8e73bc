//! A batch that is being loaded.

use std::collections::BTreeMap;

use jobs::{BatchId, Credits, Provider, Timestamp};

use crate::error::StoreError;
use crate::people::links::evidence::Contradiction;
use crate::people::suppression_list::KnownSuppressions;

/// The properties of a batch that are known before its first row.
#[derive(Debug, Clone)]
pub struct NewBatch {
    /// A name for people to read.
    pub name: Option<String>,
    /// The caller's columns; `None` where each row brings its own (JSON Lines).
    pub header: Option<Vec<String>>,
    /// Batches of a higher priority go first.
    pub priority: i64,
    /// Credits that may be reserved and spent, by provider.
    pub max_credits: BTreeMap<Provider, Credits>,
    /// Results from before this moment are asked for again.
    pub refresh_before: Option<Timestamp>,
    /// Whether a waterfall goes on past a step at which no mobile number was found.
    pub wants_mobile: bool,
}

/// A batch that is being loaded.
#[derive(Debug, Clone)]
pub struct Loading {
    pub(crate) id: i64,
    /// Its public id.
    pub batch_id: BatchId,
    pub(super) priority: i64,
    pub(super) refresh_before: Option<Timestamp>,
    pub(super) wants_mobile: bool,
    pub(super) suppressions: KnownSuppressions,
}

/// The result of loading one chunk of rows, or the sum over chunks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Rows put into the ledger.
    pub rows: i64,
    /// Rows that share a reveal that is already known or was made for an earlier row.
    pub shared: i64,
    /// Rows of erased people, who are not asked for.
    pub erased: i64,
    /// Rows of suppressed people, who are not asked for.
    pub suppressed: i64,
    /// People who may be asked, by provider: the most reservations that the batch can make.
    pub new_people: BTreeMap<Provider, i64>,
    /// Those of the new people who are looked up first.
    pub lookups: i64,
    /// Rows that contradict each other about which identifiers are one person's. Each contradiction has its own number.
    pub contradictions: BTreeMap<u64, Contradiction>,
}

impl Loaded {
    /// Adds the result of another chunk.
    pub fn add(&mut self, other: Loaded) {
        self.rows += other.rows;
        self.shared += other.shared;
        self.erased += other.erased;
        self.suppressed += other.suppressed;
        self.lookups += other.lookups;
        for (provider, n) in other.new_people {
            *self.new_people.entry(provider).or_default() += n;
        }
        for (number, contradiction) in other.contradictions {
            self.contradictions.entry(number).or_default().add(contradiction);
        }
    }
}

pub(super) fn swept(batch: &Loading) -> StoreError {
    StoreError::Lost {
        what: format!("batch {}", batch.batch_id),
        why: "its submit was silent for too long and was considered dead; submit again",
    }
}
