//! Small writes of one kind that come in while one transaction runs share the next one, so that many of
//! them cost few statements. If a transaction fails, each of its writes is tried once more alone: one
//! that can't be written harms no other.

use jobs::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::accept::{self, Accepted};
use crate::conn::Conn;
use crate::immediate::{self, NotFound};
use crate::inbox;
use crate::writer::BoxFuture;
use crate::{DatabaseError, NewWebhook, Result, Store};

/// Writes that one transaction holds at most.
const AT_ONCE: usize = 500;

/// All of a store's.
#[derive(Clone)]
pub(crate) struct Groups {
    pub(crate) acceptances: Grouped<Accepted>,
    pub(crate) not_found: Grouped<NotFound>,
    pub(crate) webhooks: Grouped<(NewWebhook, Timestamp)>,
}

impl Groups {
    /// `store` is one without groups of its own, or the tasks would keep themselves alive.
    pub(crate) fn start(store: &Store) -> Self {
        Groups {
            acceptances: Grouped::start(store.clone(), accept::write_all),
            not_found: Grouped::start(store.clone(), immediate::write_all),
            webhooks: Grouped::start(store.clone(), inbox::store_all),
        }
    }
}

/// Writes all of these in one transaction.
type WriteAll<T> = for<'a> fn(&'a mut Conn, Vec<T>) -> BoxFuture<'a, Result<()>>;

/// The way to the task that writes them.
pub(crate) struct Grouped<T>(mpsc::UnboundedSender<Waiting<T>>);

type Waiting<T> = (T, oneshot::Sender<Result<()>>);

impl<T> Clone for Grouped<T> {
    fn clone(&self) -> Self {
        Grouped(self.0.clone())
    }
}

impl<T: Clone + Send + 'static> Grouped<T> {
    /// Starts the task; it ends with the last way to it.
    fn start(store: Store, write_all: WriteAll<T>) -> Self {
        let (sender, mut receiver) = mpsc::unbounded_channel::<Waiting<T>>();
        tokio::spawn(async move {
            let mut waiting = Vec::with_capacity(AT_ONCE);
            while receiver.recv_many(&mut waiting, AT_ONCE).await > 0 {
                write_together(&store, write_all, std::mem::take(&mut waiting)).await;
            }
        });
        Grouped(sender)
    }

    /// Returns once `item` is durable, or with nothing of it done.
    pub(crate) async fn write(&self, item: T) -> Result<()> {
        let (reply, written) = oneshot::channel();
        self.0.send((item, reply)).map_err(|_| DatabaseError::Closed)?;
        written.await.map_err(|_| DatabaseError::Closed)?
    }
}

async fn write_together<T: Clone + Send + 'static>(
    store: &Store,
    write_all: WriteAll<T>,
    waiting: Vec<Waiting<T>>,
) {
    let items: Vec<T> = waiting.iter().map(|(item, _)| item.clone()).collect();
    let alone = items.len() == 1;
    let mut together = Some(store.write(move |conn| write_all(conn, items)).await);
    for (item, reply) in waiting {
        let written = match &together {
            Some(Err(_)) if alone => together.take().unwrap_or(Ok(())),
            Some(Err(_)) => store.write(move |conn| write_all(conn, vec![item])).await,
            _ => Ok(()),
        };
        // A caller that has gone away has no use for the answer; its work stands.
        let _ = reply.send(written);
    }
}
