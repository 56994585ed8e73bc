//! Putting a batch into the ledger: staged in chunks under a batch that nobody sees, then published. A submit
//! that dies on the way leaves a batch that is swept.

mod load;
mod merge;
mod pace;
mod place;
mod publish;
mod rows;
mod some;
mod statistics;
mod turns;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jobs::{BatchId, Credits, FileForm, Provider, Timestamp};
use smallvec::SmallVec;
use sqlx::PgPool;

use self::load::load_chunk;
pub use self::pace::Pace;
pub use self::publish::Published;
use crate::conn::{Conn, exec, row, rows};
use crate::links::Contradiction;
use crate::totals::json;
use crate::writer::{BoxFuture, Durability};
use crate::{Result, Store, StoreError};

/// What is known of a batch before its first row.
#[derive(Debug, Clone)]
pub struct NewBatch {
    /// For people.
    pub name: Option<String>,
    /// The caller's columns; `None` where each row brings its own (JSON Lines).
    pub header: Option<Vec<String>>,
    /// Higher ones go first.
    pub priority: i64,
    /// Credits that may be reserved and spent, a provider each.
    pub max_credits: BTreeMap<Provider, Credits>,
    /// Known results from before this moment are asked for again.
    pub refresh_before: Option<Timestamp>,
    /// A waterfall goes on where only numbers were found that are no mobile ones.
    pub wants_mobile: bool,
}

/// A row as the ledger keeps it.
#[derive(Debug, Clone)]
pub struct NewRow {
    /// The row's place in the batch, from 1.
    pub number: i64,
    /// JSON: an array along the header, or the object as it came.
    pub fields: String,
    /// All identifiers of the person that stand on the row, encoded.
    pub identifiers: SmallVec<[Arc<str>; 1]>,
    /// The waterfall: who is asked, in turn.
    pub steps: SmallVec<[NewStep; Provider::ALL.len()]>,
    /// The person is not to be asked for. Loading sets it for everybody who was erased.
    pub erased: bool,
}

/// One provider of a row's waterfall.
#[derive(Debug, Clone, Copy)]
pub struct NewStep {
    /// Who is asked.
    pub provider: Provider,
    /// Which of the row's identifiers to ask by. Where it is none, the step counts only if the person
    /// is known at this provider all the same, by another row: nobody is paid for twice because one row
    /// says less.
    pub asks_by: Option<u8>,
}

impl NewRow {
    /// The identifier to ask by at a step.
    #[must_use]
    pub fn asked_by(&self, step: &NewStep) -> Option<&Arc<str>> {
        self.identifiers.get(usize::from(step.asks_by?))
    }
}

/// A batch that is being loaded.
#[derive(Debug, Clone)]
pub struct Loading {
    pub(crate) id: i64,
    /// Its public id.
    pub batch_id: BatchId,
    priority: i64,
    refresh_before: Option<Timestamp>,
    wants_mobile: bool,
}

/// What one chunk of rows came to; sums up over the chunks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Rows put into the ledger.
    pub rows: i64,
    /// Rows that share a reveal which is already known, or was made for an earlier row.
    pub shared: i64,
    /// Rows of people who were erased; nobody is asked.
    pub erased: i64,
    /// Rows of suppressed people; nobody is asked.
    pub suppressed: i64,
    /// People who may be asked, by provider: at most so many reservations.
    pub new_people: BTreeMap<Provider, i64>,
    /// Rows that contradict each other about who is who, each contradiction under a number of its own.
    pub contradictions: BTreeMap<u64, Contradiction>,
}

impl Loaded {
    /// Adds another chunk's.
    pub fn add(&mut self, other: Loaded) {
        self.rows += other.rows;
        self.shared += other.shared;
        self.erased += other.erased;
        self.suppressed += other.suppressed;
        for (provider, n) in other.new_people {
            *self.new_people.entry(provider).or_default() += n;
        }
        for (number, contradiction) in other.contradictions {
            self.contradictions.entry(number).or_default().add(contradiction);
        }
    }
}

impl Store {
    /// Begins a batch that nobody sees until [`Store::publish`].
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn begin_batch(&self, new: NewBatch) -> Result<Loading> {
        self.sweep_abandoned_batches().await?;
        let now = self.now();
        let batch_id = BatchId::generate();
        let header = new.header.as_ref().map(json);
        let NewBatch { priority, refresh_before, wants_mobile, .. } = new;
        let id = self
            .write(move |conn| {
                Box::pin(async move { insert_batch(conn, &new, batch_id, header, now).await })
            })
            .await?;
        Ok(Loading { id, batch_id, priority, refresh_before, wants_mobile })
    }

    /// Puts rows into the batch. One short transaction, durable with [`Store::publish`]: nobody was
    /// promised anything before.
    ///
    /// # Errors
    /// The database can't be used, or the batch was swept as abandoned.
    pub async fn load(&self, batch: &Loading, new_rows: Vec<NewRow>) -> Result<Loaded> {
        let (now, beside) = (self.now(), self.beside());
        let load = |new_rows| loading(batch.clone(), new_rows, now, beside.clone());
        if self.is_postgres() {
            self.write_anew(Durability::WithTheNext, || load(new_rows.clone())).await
        } else {
            self.write_with(Durability::WithTheNext, load(new_rows)).await
        }
    }

    /// Notes the form in which the batch's file came.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn note_form(&self, batch: &Loading, form: &FileForm) -> Result<()> {
        let (id, form) = (batch.id, json(form));
        self.write(move |conn| {
            Box::pin(async move {
                exec!(conn, "UPDATE batches SET form = $2 WHERE id = $1", id, form)?;
                Ok(())
            })
        })
        .await
    }

    /// Notes the columns of JSON Lines, which are known once all rows were read.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn note_keys(&self, batch: &Loading, keys: &[String]) -> Result<()> {
        let (id, keys) = (batch.id, json(&keys));
        self.write(move |conn| {
            Box::pin(async move {
                exec!(conn, "UPDATE batches SET keys = $2 WHERE id = $1", id, keys)?;
                Ok(())
            })
        })
        .await
    }

    /// Notes the absolute paths of the files that a batch came from.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn note_sources(&self, batch: &Loading, sources: &[String]) -> Result<()> {
        let (id, sources) = (batch.id, json(&sources));
        self.write(move |conn| {
            Box::pin(async move {
                exec!(conn, "UPDATE batches SET sources = $2 WHERE id = $1", id, sources)?;
                Ok(())
            })
        })
        .await
    }

    /// The files that batches came from: no export may take the place of one.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn sources(&self) -> Result<BTreeSet<String>> {
        let mut conn = self.read().await?;
        let found: Vec<(i64, String)> =
            rows!(conn, "SELECT id, sources FROM batches WHERE sources IS NOT NULL")?;
        let mut all = BTreeSet::new();
        for (id, text) in found {
            let paths: Vec<String> =
                serde_json::from_str(&text).map_err(|_| StoreError::Corrupt {
                    table: "batches",
                    column: "sources",
                    row: id.to_string(),
                    value: text,
                })?;
            all.extend(paths);
        }
        Ok(all)
    }
}

fn loading(
    batch: Loading,
    new_rows: Vec<NewRow>,
    now: Timestamp,
    beside: Option<PgPool>,
) -> impl for<'a> FnOnce(&'a mut Conn) -> BoxFuture<'a, Result<Loaded>> + Send + 'static {
    move |conn| Box::pin(async move { load_chunk(conn, &batch, new_rows, now, beside).await })
}

fn swept(batch: &Loading) -> StoreError {
    StoreError::Lost {
        what: format!("batch {}", batch.batch_id),
        why: "its submit was silent for so long that it was taken for dead; submit again",
    }
}

async fn insert_batch(
    conn: &mut Conn,
    new: &NewBatch,
    batch_id: BatchId,
    header: Option<String>,
    now: Timestamp,
) -> Result<i64> {
    let id: Option<(i64,)> = row!(
        conn,
        "INSERT INTO batches (batch_id, name, header, priority, wants_mobile, created_at, loader_seen_at)
         VALUES ($1, $2, $3, $4, $6, $5, $5) RETURNING id",
        batch_id.to_string(),
        new.name.clone(),
        header,
        new.priority,
        now.0,
        i64::from(new.wants_mobile),
    )?;
    let (id,) = id.ok_or_else(|| StoreError::NotFound("the new batch has no id".into()))?;
    for (provider, max) in &new.max_credits {
        exec!(
            conn,
            "INSERT INTO batch_totals (batch_id, provider, max_credits) VALUES ($1, $2, $3)",
            id,
            provider.as_str(),
            max.thousandths(),
        )?;
    }
    Ok(id)
}
