//! Group commit: small writes of one kind that come in while a transaction runs share the next one, so that many of them cost
//! few statements. If a transaction fails, each of its writes is tried once more alone, so that one that fails harms no other.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::attached::Attached;
use crate::conn::Conn;
use crate::database::Database;
use crate::error::{DbError, Failure, Result, WorkError};
use crate::transaction::{BoxFuture, Urgency};

/// Writes that one transaction holds at most.
const AT_ONCE: usize = 500;

/// After a transaction of many, Postgres' next one waits so long for more: a transaction costs more than the writes in it.
/// SQLite doesn't need it, since all kinds of writes share its commits.
const GATHER: Duration = Duration::from_millis(5);

/// So many are many.
const MANY: usize = 8;

/// If so many in a row can't be written one by one, the cause is not one of them.
const ENOUGH: usize = 3;

/// The batchers of an open database, one for each kind of write. Each is started when it is first needed, and ends with
/// the last of these handles.
pub struct Batchers<E> {
    db: Database<E>,
    started: Attached,
}

impl<E> Clone for Batchers<E> {
    fn clone(&self) -> Self {
        Batchers { db: self.db.clone(), started: self.started.clone() }
    }
}

impl<E: WorkError> Batchers<E> {
    /// Those of `db`; none is started as yet.
    pub fn of(db: Database<E>) -> Self {
        Batchers { db, started: Attached::default() }
    }

    /// Returns once `item` is durable, or with nothing of it done.
    pub async fn write<T: Item<Error = E>>(&self, item: T) -> Result<T::Output, E> {
        self.started.get(|| Batcher::<T>::start(&self.db)).write(item).await
    }
}

/// A small write that shares a transaction with others of its kind.
pub trait Item: Clone + Send + 'static {
    /// What became of it.
    type Output: Send + 'static;

    /// What goes wrong with it.
    type Error: WorkError;

    /// Before which other work they are written.
    const URGENCY: Urgency = Urgency::Usual;

    /// Writes all of these in one transaction. Returns what became of each, in their order.
    fn write_all(conn: &mut Conn, items: Vec<Self>) -> BoxFuture<'_, Outputs<Self>>;
}

/// What became of each item.
pub type Outputs<T> = Result<Vec<<T as Item>::Output>, <T as Item>::Error>;

/// The way to the task that writes them.
struct Batcher<T: Item>(mpsc::UnboundedSender<Waiting<T>>);

/// Writes these in one transaction.
async fn write_items<T: Item>(db: &Database<T::Error>, items: Vec<T>) -> Outputs<T> {
    match T::URGENCY {
        Urgency::Usual => db.write(move |conn| T::write_all(conn, items)).await,
        Urgency::Urgent => db.write_statement(move |conn| T::write_all(conn, items)).await,
    }
}

struct Waiting<T: Item> {
    item: T,
    reply: oneshot::Sender<Result<T::Output, T::Error>>,
}

impl<T: Item> Clone for Batcher<T> {
    fn clone(&self) -> Self {
        Batcher(self.0.clone())
    }
}

impl<T: Item> Batcher<T> {
    /// Starts the task; it ends with the last way to it.
    fn start(db: &Database<T::Error>) -> Self {
        let db = db.clone();
        let gathers = db.is_postgres();
        let (sender, mut receiver) = mpsc::unbounded_channel::<Waiting<T>>();
        tokio::spawn(async move {
            loop {
                let mut waiting = Vec::new();
                if receiver.recv_many(&mut waiting, AT_ONCE).await == 0 {
                    return;
                }
                let many = waiting.len() >= MANY;
                write_together(&db, waiting).await;
                if many && gathers {
                    tokio::time::sleep(GATHER).await;
                }
            }
        });
        Batcher(sender)
    }

    async fn write(&self, item: T) -> Result<T::Output, T::Error> {
        let (reply, written) = oneshot::channel();
        self.0.send(Waiting { item, reply }).map_err(|_| DbError::from(Failure::Closed))?;
        written.await.map_err(|_| DbError::from(Failure::Closed))?
    }
}

async fn write_together<T: Item>(db: &Database<T::Error>, waiting: Vec<Waiting<T>>) {
    let together = waiting.iter().map(|one| one.item.clone()).collect();
    match write_items(db, together).await {
        Ok(outputs) => {
            for (one, output) in waiting.into_iter().zip(outputs) {
                // The caller may be gone; its work stands.
                let _ = one.reply.send(Ok(output));
            }
        }
        Err(error) => match <[Waiting<T>; 1]>::try_from(waiting) {
            Ok([one]) => _ = one.reply.send(Err(error)),
            Err(waiting) => write_each(db, waiting).await,
        },
    }
}

/// Writes one after the other, so that one that fails harms no other.
async fn write_each<T: Item>(db: &Database<T::Error>, waiting: Vec<Waiting<T>>) {
    let mut in_vain = 0;
    for Waiting { item, reply } in waiting {
        let written = match in_vain {
            ENOUGH => Err(DbError::shared("nothing can be written down just now").into()),
            _ => write_alone(db, item).await,
        };
        in_vain = if written.is_ok() { 0 } else { ENOUGH.min(in_vain + 1) };
        let _ = reply.send(written);
    }
}

async fn write_alone<T: Item>(db: &Database<T::Error>, item: T) -> Result<T::Output, T::Error> {
    let output = write_items(db, vec![item]).await?.pop();
    output.ok_or_else(|| DbError::shared("the write of one item gave no output").into())
}
