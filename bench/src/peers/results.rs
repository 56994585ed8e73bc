//! Stores results durably: one row a person. Webhooks that arrive while a transaction is being written share the next.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use sqlx::{PgPool, QueryBuilder, SqlitePool};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// The most rows in one transaction.
const MOST_ROWS: usize = 2_000;

/// After this long without a new result, the queue is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A person's result.
pub struct Stored {
    pub id: String,
    pub body: String,
}

/// Where the results are stored: in the queue's own database.
#[derive(Clone)]
pub enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// A webhook, and who waits until it is stored.
struct Webhook {
    results: Vec<Stored>,
    stored: oneshot::Sender<()>,
}

/// Takes webhooks.
#[derive(Clone)]
pub struct Inbox(mpsc::UnboundedSender<Webhook>);

impl Inbox {
    /// Returns when the results are stored.
    pub async fn store(&self, results: Vec<Stored>) -> Result<()> {
        let (stored, wait) = oneshot::channel();
        self.0.send(Webhook { results, stored }).ok().context("nothing stores results any more")?;
        Ok(wait.await?)
    }
}

/// The results that are stored so far.
pub struct Results {
    stored: watch::Receiver<usize>,
    writing: JoinHandle<Result<()>>,
}

impl Results {
    /// Creates the table, and starts the task that writes into it.
    pub async fn start(pool: Pool) -> Result<(Inbox, Results)> {
        let table = "CREATE TABLE results (id TEXT PRIMARY KEY, body TEXT NOT NULL)";
        match &pool {
            Pool::Sqlite(pool) => sqlx::query(table).execute(pool).await.map(|_| ())?,
            Pool::Postgres(pool) => sqlx::query(table).execute(pool).await.map(|_| ())?,
        }
        let (inbox, webhooks) = mpsc::unbounded_channel();
        let (count, stored) = watch::channel(0);
        let writing = tokio::spawn(write_all(pool, webhooks, count));
        Ok((Inbox(inbox), Results { stored, writing }))
    }

    /// Waits until the results of this many people are stored.
    pub async fn wait_for(&mut self, people: usize) -> Result<()> {
        while *self.stored.borrow_and_update() < people {
            tokio::select! {
                changed = tokio::time::timeout(PATIENCE, self.stored.changed()) => {
                    let stored = *self.stored.borrow();
                    if changed.is_err() {
                        bail!("{stored} results of {people}, and no more in {PATIENCE:?}");
                    }
                }
                ended = &mut self.writing => {
                    ended?.context("the results could not be stored")?;
                    bail!("the results are not stored any more");
                }
            }
        }
        Ok(())
    }
}

impl Drop for Results {
    fn drop(&mut self) {
        self.writing.abort();
    }
}

async fn write_all(
    pool: Pool,
    mut webhooks: mpsc::UnboundedReceiver<Webhook>,
    count: watch::Sender<usize>,
) -> Result<()> {
    while let Some(first) = webhooks.recv().await {
        let mut results = first.results;
        let mut waiting = vec![first.stored];
        while results.len() < MOST_ROWS
            && let Ok(next) = webhooks.try_recv()
        {
            results.extend(next.results);
            waiting.push(next.stored);
        }
        let new = write(&pool, results).await?;
        count.send_modify(|count| *count += new);
        for stored in waiting {
            let _ = stored.send(()); // an error: the sender has hung up, and will send it again
        }
    }
    Ok(())
}

/// Writes results in one transaction; returns how many are new. A webhook that comes again changes nothing.
async fn write(pool: &Pool, results: Vec<Stored>) -> Result<usize> {
    let written = match pool {
        Pool::Sqlite(pool) => {
            let mut insert = QueryBuilder::new("INSERT INTO results (id, body) ");
            insert.push_values(results, |mut row, result| {
                row.push_bind(result.id).push_bind(result.body);
            });
            insert.push(" ON CONFLICT DO NOTHING");
            insert.build().execute(pool).await?.rows_affected()
        }
        Pool::Postgres(pool) => {
            let (ids, bodies): (Vec<_>, Vec<_>) =
                results.into_iter().map(|result| (result.id, result.body)).unzip();
            let insert =
                "INSERT INTO results (id, body) SELECT * FROM unnest($1::text[], $2::text[])
                          ON CONFLICT DO NOTHING";
            sqlx::query(insert).bind(ids).bind(bodies).execute(pool).await?.rows_affected()
        }
    };
    Ok(written as usize)
}
