use jobs::Clock;
use store::Store;

use crate::failure::Failure;
use crate::global::Global;
use crate::signals::stopped;
use crate::{actor, elsewhere};

/// Changes something in the ledger, which is created if there is none.
pub(crate) async fn change(
    global: &Global,
    work: impl AsyncFnOnce(&Store) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let store = Store::connect(global.database()?, !global.no_migrate, Clock::system()).await?;
    let store = store.acting_as(actor::current());
    with(&store, unless_stopped(work(&store))).await
}

/// Reads or changes what is in the ledger; creates none.
pub(crate) async fn existing(
    global: &Global,
    work: impl AsyncFnOnce(&Store) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let store = open_existing(global).await?;
    let done = with(&store, unless_stopped(work(&store))).await;
    done.map_err(|failure| elsewhere::hint(global, failure))
}

async fn open_existing(global: &Global) -> Result<Store, Failure> {
    let opened =
        Store::connect_existing(global.database()?, !global.no_migrate, Clock::system()).await;
    let store = opened.map_err(|error| elsewhere::hint(global, error.into()))?;
    Ok(store.acting_as(actor::current()))
}

/// Works on the ledger and closes it, so that all data is in its place, however the work ended.
pub(crate) async fn with<T>(
    store: &Store,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let done = async {
        store.ping().await?;
        work.await
    };
    let done = done.await;
    store.close().await;
    done
}

/// Does the work, unless a signal comes first.
pub(crate) async fn unless_stopped(
    work: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    tokio::select! {
        biased;
        done = work => done,
        stop = stopped() => Err(Failure::Interrupted("interrupted".to_owned(), stop)),
    }
}
