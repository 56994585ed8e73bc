//! Putting a batch into the ledger: staged in chunks under a batch that nobody sees, published by
//! one update. A submit that dies on the way leaves a batch that is swept.

use std::collections::{BTreeMap, HashSet};

use jobs::{BatchId, Provider, RevealState, Timestamp};
use serde::Serialize;

use crate::conn::{Conn, exec, row, rows, value};
use crate::erasures::mark_erased;
use crate::lanes::find_lanes;
use crate::resolve::{Numbers, People};
use crate::totals::{Totals, json};
use crate::{Result, Store, StoreError, Topic};

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
    pub max_credits: BTreeMap<Provider, i64>,
    /// Known results from before this moment are asked for again.
    pub refresh_before: Option<Timestamp>,
}

/// A row as the ledger keeps it.
#[derive(Debug, Clone)]
pub struct NewRow {
    /// The row's place in the batch, from 1.
    pub number: i64,
    /// JSON: an array along the header, or the object as it came.
    pub fields: String,
    /// The waterfall: who is asked, in turn.
    pub steps: Vec<NewStep>,
    /// The person is not to be asked for. Loading sets it for everybody who was erased.
    pub erased: bool,
}

/// One provider of a row's waterfall.
#[derive(Debug, Clone)]
pub struct NewStep {
    /// Who is asked.
    pub provider: Provider,
    /// Encoded identifiers of the person: first the one to ask by, then all others on the row.
    pub identifiers: Vec<String>,
    /// None of them is one to ask by. The step counts only if the person is known at this provider
    /// all the same, by another row: nobody is paid for twice because one row says less.
    pub only_if_known: bool,
}

/// A batch that is being loaded.
#[derive(Debug, Clone)]
pub struct Loading {
    pub(crate) id: i64,
    /// Its public id.
    pub batch_id: BatchId,
    priority: i64,
    refresh_before: Option<Timestamp>,
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
    /// People who may be asked, by provider: at most so many reservations.
    pub new_people: BTreeMap<Provider, i64>,
}

impl Loaded {
    /// Adds another chunk's.
    pub fn add(&mut self, other: Loaded) {
        self.rows += other.rows;
        self.shared += other.shared;
        self.erased += other.erased;
        for (provider, n) in other.new_people {
            *self.new_people.entry(provider).or_default() += n;
        }
    }
}

/// How publishing ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// The batch is there.
    Now,
    /// A batch with the same key and content was there already; this one is gone.
    Before(BatchId),
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
        let (priority, refresh_before) = (new.priority, new.refresh_before);
        let id = self
            .write(move |conn| {
                Box::pin(async move { insert_batch(conn, &new, batch_id, header, now).await })
            })
            .await?;
        Ok(Loading { id, batch_id, priority, refresh_before })
    }

    /// Puts rows into the batch. One short transaction.
    ///
    /// # Errors
    /// The database can't be used, or the batch was swept as abandoned.
    pub async fn load(&self, batch: &Loading, new_rows: Vec<NewRow>) -> Result<Loaded> {
        let (batch, now) = (batch.clone(), self.now());
        self.write(move |conn| {
            Box::pin(async move { load_chunk(conn, &batch, new_rows, now).await })
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

    /// Makes the batch visible, all at once. With an idempotency key, the first batch of that key
    /// stays the only one.
    ///
    /// # Errors
    /// The key is taken by other content or options; the batch was swept as abandoned.
    pub async fn publish(
        &self,
        batch: &Loading,
        key: Option<(String, String)>,
    ) -> Result<Published> {
        if let Some(before) = self.published_before(batch, key.as_ref()).await? {
            return Ok(before);
        }
        let (id, now) = (batch.id, self.now());
        let (text, hash) = key.clone().unzip();
        let published = self
            .write(move |conn| {
                Box::pin(async move {
                    let done = exec!(
                        conn,
                        "UPDATE batches SET published_at = $2, idempotency_key = $3, content_hash = $4,
                            created_at = $2, finished_at = CASE WHEN unfinished = 0 THEN $2 END
                         WHERE id = $1 AND published_at IS NULL AND cancelled_at IS NULL",
                        id,
                        now.0,
                        text,
                        hash,
                    )?;
                    if done == 1 {
                        take_from_loading(conn, id, now).await?;
                    }
                    conn.announce(Topic::Queue);
                    Ok(done)
                })
            })
            .await;
        match published {
            Ok(1) => Ok(Published::Now),
            Ok(_) => Err(swept(batch)),
            // Another submit with this key was faster by a moment.
            Err(error) if error.is_duplicate() => {
                self.published_before(batch, key.as_ref()).await?.ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Takes the batch back if one of the same key is there already.
    async fn published_before(
        &self,
        batch: &Loading,
        key: Option<&(String, String)>,
    ) -> Result<Option<Published>> {
        let Some((key, content_hash)) = key else { return Ok(None) };
        let Some(before) = self.idempotent_batch(key, content_hash).await? else { return Ok(None) };
        self.abandon(batch).await?;
        Ok(Some(Published::Before(before)))
    }

    /// Whether a batch was published under this key.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn idempotency_key_is_taken(&self, key: &str) -> Result<bool> {
        let mut conn = self.read().await?;
        let batches: i64 =
            value!(conn, "SELECT COUNT(*) FROM batches WHERE idempotency_key = $1", key)?;
        Ok(batches > 0)
    }

    /// The batch that was published under `key`, if one was.
    ///
    /// # Errors
    /// It had other content or options.
    pub async fn idempotent_batch(&self, key: &str, content_hash: &str) -> Result<Option<BatchId>> {
        let mut conn = self.read().await?;
        let found: Option<(String, Option<String>)> = row!(
            conn,
            "SELECT batch_id, content_hash FROM batches WHERE idempotency_key = $1",
            key
        )?;
        match found {
            None => Ok(None),
            Some((id, hash)) if hash.as_deref() == Some(content_hash) => {
                Ok(Some(id.parse().map_err(|_| StoreError::Corrupt {
                    table: "batches",
                    column: "batch_id",
                    row: id.clone(),
                    value: id,
                })?))
            }
            Some((id, _)) => Err(StoreError::Conflict(format!(
                "the idempotency key {key:?} was used for batch {id} with other content or options; use another key, or submit exactly the same again"
            ))),
        }
    }
}

/// People whom a batch that still loads took into its lane have their turn now.
async fn take_from_loading(conn: &mut Conn, batch: i64, now: Timestamp) -> Result<()> {
    let loading: Vec<(i64,)> =
        rows!(conn, "SELECT id FROM batches WHERE published_at IS NULL AND id <> $1", batch)?;
    let mut totals = Totals::default();
    for (other,) in loading {
        let both: Vec<(i64,)> = rows!(
            conn,
            "SELECT r.id FROM reveals r WHERE r.lane = $1 AND r.state = 'queued' AND r.cohort IS NULL
               AND EXISTS (SELECT 1 FROM batch_rows w
                           WHERE w.reveal_id = r.id AND w.batch_id = $2 AND w.ended IS NULL)",
            other,
            batch,
        )?;
        let both: Vec<i64> = both.into_iter().map(|(id,)| id).collect();
        find_lanes(conn, &mut totals, &both, now).await?;
    }
    totals.flush(conn, now).await
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
        "INSERT INTO batches (batch_id, name, header, priority, created_at, loader_seen_at)
         VALUES ($1, $2, $3, $4, $5, $5) RETURNING id",
        batch_id.to_string(),
        new.name.clone(),
        header,
        new.priority,
        now.0,
    )?;
    let (id,) = id.ok_or_else(|| StoreError::NotFound("the new batch has no id".into()))?;
    for (provider, max) in &new.max_credits {
        exec!(
            conn,
            "INSERT INTO batch_totals (batch_id, provider, max_credits) VALUES ($1, $2, $3)",
            id,
            provider.as_str(),
            *max,
        )?;
    }
    Ok(id)
}

/// A row with its people found or made.
struct Resolved {
    number: i64,
    fields: String,
    steps: Vec<(Provider, i64, bool)>,
}

async fn load_chunk(
    conn: &mut Conn,
    batch: &Loading,
    mut new_rows: Vec<NewRow>,
    now: Timestamp,
) -> Result<Loaded> {
    let loading: Option<(i64,)> = row!(
        conn,
        "SELECT id FROM batches WHERE id = $1 AND published_at IS NULL AND cancelled_at IS NULL",
        batch.id,
    )?;
    if loading.is_none() {
        return Err(swept(batch));
    }
    let mut numbers = Numbers::lock(conn).await?;
    mark_erased(conn, &mut new_rows).await?;
    let mut people = look_up_all(conn, batch, &new_rows).await?;
    let (erased, live): (Vec<NewRow>, Vec<NewRow>) =
        new_rows.into_iter().partition(|row| row.erased);
    let resolved = resolve_all(&mut people, live, &mut numbers);
    numbers.save(conn).await?;

    let mut totals = Totals::default();
    let mut loaded = Loaded::default();
    let counted = counted_before(conn, batch, &people).await?;
    let (rows, waterfall) =
        place_rows(&mut people, batch, resolved, &counted, &mut totals, &mut loaded);
    let erased_rows = place_erased(batch, erased, &mut totals, &mut loaded);
    adopt_lanes(conn, batch, &people, &rows).await?;
    let mut merged = Vec::new();
    for (_, known) in people {
        merged.push(known.save(conn, &mut totals, now).await?);
    }
    insert_rows(conn, batch, &rows, now).await?;
    insert_rows(conn, batch, &erased_rows, now).await?;
    insert_waterfall(conn, batch, &waterfall).await?;
    for merged in merged {
        merged.follow(conn, &mut totals, now).await?;
    }
    totals.flush(conn, now).await?;
    // The batch's own row is locked last, as everywhere: results of shared people lock it, too.
    let seen = exec!(
        conn,
        "UPDATE batches SET loader_seen_at = $2
         WHERE id = $1 AND published_at IS NULL AND cancelled_at IS NULL",
        batch.id,
        now.0,
    )?;
    if seen == 1 { Ok(loaded) } else { Err(swept(batch)) }
}

async fn look_up_all(
    conn: &mut Conn,
    batch: &Loading,
    new_rows: &[NewRow],
) -> Result<BTreeMap<Provider, People>> {
    let mut identifiers: BTreeMap<Provider, HashSet<&str>> = BTreeMap::new();
    for step in new_rows.iter().filter(|row| !row.erased).flat_map(|row| &row.steps) {
        identifiers
            .entry(step.provider)
            .or_default()
            .extend(step.identifiers.iter().map(String::as_str));
    }
    let own = |provider| {
        let mut steps = new_rows.iter().flat_map(|row| &row.steps);
        steps.any(|step| step.provider == provider && !step.only_if_known)
    };
    let mut people = BTreeMap::new();
    for (provider, identifiers) in identifiers {
        if !own(provider) && !anybody_known(conn, provider).await? {
            continue;
        }
        let known = People::look_up(conn, provider, &identifiers, batch.refresh_before).await?;
        people.insert(provider, known);
    }
    Ok(people)
}

/// Whether the provider was, or is to be, asked for anybody at all.
async fn anybody_known(conn: &mut Conn, provider: Provider) -> Result<bool> {
    let first: Option<(i64,)> =
        row!(conn, "SELECT id FROM reveals WHERE provider = $1 LIMIT 1", provider.as_str())?;
    Ok(first.is_some())
}

fn resolve_all(
    people: &mut BTreeMap<Provider, People>,
    live: Vec<NewRow>,
    numbers: &mut Numbers,
) -> Vec<Resolved> {
    let resolved: Vec<Vec<Option<(Provider, i64, bool)>>> = live
        .iter()
        .map(|row| {
            let resolve = |step: &NewStep| {
                let known = people.get_mut(&step.provider).filter(|_| !step.only_if_known)?;
                let (id, new) = known.resolve(&step.identifiers, numbers);
                Some((step.provider, id, new))
            };
            row.steps.iter().map(resolve).collect()
        })
        .collect();
    // Afterwards, so that it doesn't matter which of two rows comes first in a chunk.
    live.into_iter()
        .zip(resolved)
        .map(|(row, own)| {
            let steps = row.steps.iter().zip(own).filter_map(|(step, own)| {
                let by_others = || {
                    Some((
                        step.provider,
                        people.get(&step.provider)?.find(&step.identifiers)?,
                        false,
                    ))
                };
                own.or_else(by_others)
            });
            Resolved { number: row.number, steps: steps.collect(), fields: row.fields }
        })
        .collect()
}

#[derive(Serialize)]
struct RowJson {
    number: i64,
    fields: String,
    reveal: Option<i64>,
    shared: i64,
    ended: Option<&'static str>,
}

#[derive(Serialize)]
struct StepJson {
    number: i64,
    step: usize,
    reveal: i64,
}

/// People of this chunk who stand further down in the waterfall of an earlier one's rows: what they
/// may cost is counted there.
async fn counted_before(
    conn: &mut Conn,
    batch: &Loading,
    people: &BTreeMap<Provider, People>,
) -> Result<HashSet<i64>> {
    let idle: Vec<i64> = people.values().flat_map(People::idle).collect();
    if idle.is_empty() {
        return Ok(HashSet::new());
    }
    let counted: Vec<(i64,)> = rows!(
        conn,
        "SELECT DISTINCT f.reveal_id FROM IDS($1) AS e
         JOIN row_waterfall f ON f.reveal_id = CAST(e.value AS BIGINT) AND f.batch_id = $2",
        json(&idle),
        batch.id,
    )?;
    Ok(counted.into_iter().map(|(id,)| id).collect())
}

/// Decides which reveal each row shows, and wakes those that nobody waited for so far.
fn place_rows(
    people: &mut BTreeMap<Provider, People>,
    batch: &Loading,
    resolved: Vec<Resolved>,
    counted: &HashSet<i64>,
    totals: &mut Totals,
    loaded: &mut Loaded,
) -> (Vec<RowJson>, Vec<StepJson>) {
    let (mut rows, mut waterfall) = (Vec::with_capacity(resolved.len()), Vec::new());
    let mut paid_by_earlier = counted.clone();
    for row in resolved {
        let steps: Vec<(Provider, i64, bool)> = row
            .steps
            .into_iter()
            .map(|(provider, id, new)| {
                let settled = people.get(&provider).map_or(id, |known| known.settled_id(id));
                (provider, settled, new && settled == id)
            })
            .collect();
        let shown = shown_step(people, &steps);
        let Some(&(provider, reveal, new)) = steps.get(shown) else { continue };
        let mut woken = false;
        if let Some(known) = people.get_mut(&provider) {
            woken = known.queue(reveal, batch.id);
            totals.new_rows(batch.id, provider, known.state(reveal), 1);
        }
        // Whoever waited for nobody so far is asked for this batch, as if they were new.
        let new = new || woken;
        for &(provider, id, made) in &steps[shown..] {
            let asked = people.get(&provider).is_some_and(|known| !known.state(id).is_finished());
            if (made || (woken && id == reveal)) && asked && paid_by_earlier.insert(id) {
                *loaded.new_people.entry(provider).or_default() += 1;
            }
        }
        loaded.rows += 1;
        loaded.shared += i64::from(!new);
        if steps.len() > 1 {
            let number = row.number;
            waterfall.extend(steps.iter().enumerate().map(|(step, &(_, reveal, _))| StepJson {
                number,
                step,
                reveal,
            }));
        }
        rows.push(RowJson {
            number: row.number,
            fields: row.fields,
            reveal: Some(reveal),
            shared: i64::from(!new),
            ended: None,
        });
    }
    (rows, waterfall)
}

/// The first step that is found, else the first that a waterfall would stop at, else the last.
fn shown_step(people: &BTreeMap<Provider, People>, steps: &[(Provider, i64, bool)]) -> usize {
    let state = |&(provider, id, _): &(Provider, i64, bool)| {
        people.get(&provider).map_or(RevealState::Idle, |known| known.state(id))
    };
    steps
        .iter()
        .position(|step| state(step) == RevealState::Found)
        .or_else(|| {
            steps.iter().position(|step| {
                !matches!(state(step), RevealState::NotFound | RevealState::Failed)
            })
        })
        .unwrap_or(steps.len().saturating_sub(1))
}

/// Rows of people who were erased end at once; of their fields nothing is kept.
fn place_erased(
    batch: &Loading,
    erased: Vec<NewRow>,
    totals: &mut Totals,
    loaded: &mut Loaded,
) -> Vec<RowJson> {
    erased
        .into_iter()
        .filter_map(|row| {
            let provider = row.steps.first()?.provider;
            totals.new_rows(batch.id, provider, RevealState::Cancelled, 1);
            loaded.rows += 1;
            loaded.erased += 1;
            Some(RowJson {
                number: row.number,
                fields: "[]".into(),
                reveal: None,
                shared: 0,
                ended: Some("erased"),
            })
        })
        .collect()
}

/// A person who is queued in another batch's turn comes over to this one's where that is sooner:
/// a higher priority, or a batch that will not send them itself.
async fn adopt_lanes(
    conn: &mut Conn,
    batch: &Loading,
    people: &BTreeMap<Provider, People>,
    new_rows: &[RowJson],
) -> Result<()> {
    let shown: HashSet<i64> =
        new_rows.iter().filter(|r| r.shared == 1).filter_map(|r| r.reveal).collect();
    for (provider, known) in people {
        let lanes = known.lanes(&shown);
        let others: HashSet<i64> =
            lanes.values().copied().filter(|lane| *lane != batch.id).collect();
        if others.is_empty() {
            continue;
        }
        let slower: Vec<(i64,)> = rows!(
            conn,
            "SELECT b.id FROM IDS($1) AS e JOIN batches b ON b.id = CAST(e.value AS BIGINT)
             LEFT JOIN batch_totals t ON t.batch_id = b.id AND t.provider = $2
             WHERE b.priority < $3 OR b.cancelled_at IS NOT NULL OR b.published_at IS NULL OR t.at_ceiling = 1",
            json(&others),
            provider.as_str(),
            batch.priority,
        )?;
        let slower: HashSet<i64> = slower.into_iter().map(|(id,)| id).collect();
        let moving: Vec<i64> =
            lanes.iter().filter(|(_, lane)| slower.contains(lane)).map(|(id, _)| *id).collect();
        if !moving.is_empty() {
            exec!(
                conn,
                "UPDATE reveals SET lane = $2 WHERE id IN (SELECT CAST(e.value AS BIGINT) FROM IDS($1) AS e)",
                json(&moving),
                batch.id,
            )?;
        }
    }
    Ok(())
}

async fn insert_rows(
    conn: &mut Conn,
    batch: &Loading,
    rows: &[RowJson],
    now: Timestamp,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    exec!(
        conn,
        "INSERT INTO batch_rows (batch_id, row_number, fields, reveal_id, shared, ended, ended_at)
         SELECT CAST($2 AS BIGINT), CAST(e.value->>'number' AS BIGINT), e.value->>'fields',
                CAST(e.value->>'reveal' AS BIGINT), CAST(e.value->>'shared' AS BIGINT), e.value->>'ended',
                CASE WHEN e.value->>'ended' IS NOT NULL THEN CAST($3 AS BIGINT) END
         FROM EACH($1) AS e",
        json(&rows),
        batch.id,
        now.0,
    )?;
    Ok(())
}

async fn insert_waterfall(conn: &mut Conn, batch: &Loading, steps: &[StepJson]) -> Result<()> {
    if steps.is_empty() {
        return Ok(());
    }
    exec!(
        conn,
        "INSERT INTO row_waterfall (batch_id, row_number, step, reveal_id)
         SELECT CAST($2 AS BIGINT), CAST(e.value->>'number' AS BIGINT), CAST(e.value->>'step' AS BIGINT),
                CAST(e.value->>'reveal' AS BIGINT)
         FROM EACH($1) AS e",
        json(&steps),
        batch.id,
    )?;
    Ok(())
}
