//! Small writes of one kind that come in while one transaction runs share the next one, so that many of
//! them cost few statements. If a transaction fails, each of its writes is tried once more alone: one
//! that can't be written harms no other.

use jobs::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::accept::{self, Accepted};
use crate::conn::Conn;
use crate::immediate::{self, NotFound};
use crate::inbox;
use crate::polls::record::{self, Polled};
use crate::writer::{BoxFuture, Urgency};
use crate::{DatabaseError, NewWebhook, Result, Store, StoreError};

/// Writes that one transaction holds at most.
const AT_ONCE: usize = 500;
/// If so many in a row can't be written one by one, none of them is to blame.
const ENOUGH: usize = 3;

/// All of a store's.
#[derive(Clone)]
pub(crate) struct Groups {
    pub(crate) acceptances: Grouped<Accepted>,
    pub(crate) not_found: Grouped<NotFound>,
    pub(crate) polls: Grouped<Polled>,
    pub(crate) webhooks: Grouped<(NewWebhook, Timestamp)>,
}

impl Groups {
    /// `store` is one without groups of its own, or the tasks would keep themselves alive.
    pub(crate) fn start(store: &Store) -> Self {
        Groups {
            acceptances: Grouped::start(store, Urgency::Usual, accept::write_all),
            not_found: Grouped::start(store, Urgency::Usual, immediate::write_all),
            polls: Grouped::start(store, Urgency::Usual, record::write_all),
            // A provider waits for its 200, and may take too long a wait for a failure.
            webhooks: Grouped::start(store, Urgency::Urgent, inbox::store_all),
        }
    }
}

/// Writes all of these in one transaction.
type WriteAll<T> = for<'a> fn(&'a mut Conn, Vec<T>) -> BoxFuture<'a, Result<()>>;

/// The way to the task that writes them.
pub(crate) struct Grouped<T>(mpsc::UnboundedSender<Waiting<T>>);

/// Where and how they are written.
struct To<T> {
    store: Store,
    urgency: Urgency,
    all: WriteAll<T>,
}

impl<T: Send + 'static> To<T> {
    async fn write(&self, items: Vec<T>) -> Result<()> {
        let all = self.all;
        match self.urgency {
            Urgency::Usual => self.store.write(move |conn| all(conn, items)).await,
            Urgency::Urgent => self.store.write_first(move |conn| all(conn, items)).await,
        }
    }
}

type Waiting<T> = (T, oneshot::Sender<Result<()>>);

impl<T> Clone for Grouped<T> {
    fn clone(&self) -> Self {
        Grouped(self.0.clone())
    }
}

impl<T: Clone + Send + 'static> Grouped<T> {
    /// Starts the task; it ends with the last way to it.
    fn start(store: &Store, urgency: Urgency, all: WriteAll<T>) -> Self {
        let to = To { store: store.clone(), urgency, all };
        let (sender, mut receiver) = mpsc::unbounded_channel::<Waiting<T>>();
        tokio::spawn(async move {
            let mut waiting = Vec::with_capacity(AT_ONCE);
            while receiver.recv_many(&mut waiting, AT_ONCE).await > 0 {
                write_together(&to, std::mem::take(&mut waiting)).await;
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

async fn write_together<T: Clone + Send + 'static>(to: &To<T>, waiting: Vec<Waiting<T>>) {
    let (items, replies): (Vec<T>, Vec<_>) = waiting.into_iter().unzip();
    let together = items.clone();
    let written = to.write(together).await;
    if written.is_err() && items.len() > 1 {
        return write_each(to, items, replies).await;
    }
    let mut written = Some(written);
    for reply in replies {
        // A caller that has gone away has no use for the answer; its work stands.
        let _ = reply.send(written.take().unwrap_or(Ok(())));
    }
}

/// One of them may be to blame: each gets its own answer, and keeps none of the others from theirs.
async fn write_each<T: Clone + Send + 'static>(
    to: &To<T>,
    items: Vec<T>,
    replies: Vec<oneshot::Sender<Result<()>>>,
) {
    let mut in_vain = 0;
    for (item, reply) in items.into_iter().zip(replies) {
        let written = match in_vain {
            ENOUGH => Err(StoreError::shared("nothing can be written down just now")),
            _ => to.write(vec![item]).await,
        };
        in_vain = if written.is_ok() { 0 } else { ENOUGH.min(in_vain + 1) };
        let _ = reply.send(written);
    }
}
