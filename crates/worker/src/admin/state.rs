//! The data that the pages need, read a moment ago.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use store::{BatchOverview, BatchRef, Overview, Why};
use tokio::sync::Mutex;

use super::access::Access;
use super::cached::{Away, Cached};
use super::own::Own;
use super::rows;
use crate::app::App;

/// Batches on a page.
pub(super) const MOST_BATCHES: usize = 25;

/// Pages of rows that are kept for a moment.
const MOST_PAGES: usize = 64;

/// The data that the pages need; cheap to clone.
#[derive(Clone)]
pub(super) struct Admin {
    pub(super) app: App,
    pub(super) access: Access,
    pub(super) seen: Arc<Cached<Seen>>,
    pub(super) pages: Pages<PageKey, rows::Page>,
    pub(super) older: Pages<usize, Vec<BatchOverview>>,
}

/// Pages that were read a moment ago.
type Pages<Key, Page> = Arc<Mutex<HashMap<Key, Arc<Cached<Page>>>>>;

/// The batch, the row that the page begins after, and the state.
type PageKey = (String, i64, Option<String>);

/// The state of everything a moment ago.
pub(super) struct Seen {
    pub(super) overview: Overview,
    /// What holds batches up, by batch id.
    pub(super) held: BTreeMap<String, Vec<Why>>,
}

impl Seen {
    /// What holds a batch up, in words.
    pub(super) fn why(&self, batch: &BatchOverview) -> impl Iterator<Item = &str> {
        let lines = self.held.get(&batch.batch_id).into_iter().flatten();
        lines.map(|why| why.text.as_str())
    }
}

impl Admin {
    pub(super) fn new(app: App, access: Access) -> Self {
        Admin { app, access, seen: Arc::default(), pages: Arc::default(), older: Arc::default() }
    }

    /// The state of everything, at most a second old.
    pub(super) async fn seen(&self) -> Result<Arc<Seen>, Away> {
        let store = &self.app.store;
        let read = async {
            let overview = store.reports().overview(MOST_BATCHES).await?;
            let held = store.reports().blocked_reasons().await?;
            Ok(Seen { overview, held })
        };
        self.seen.get(read).await
    }

    /// A page of batches, the first being 1; at most a second old, or older where it took long to read.
    pub(super) async fn batches(&self, number: usize) -> Result<Arc<Vec<BatchOverview>>, Away> {
        let read = async {
            let all = self.app.store.reports().overview(number * MOST_BATCHES).await?.batches;
            Ok(all.into_iter().skip((number - 1) * MOST_BATCHES).collect())
        };
        kept(&self.older, number).await.get(read).await
    }

    /// A page of a batch's rows, at most a second old, or older where it took long to read.
    pub(super) async fn rows(
        &self,
        batch: &BatchRef,
        after: i64,
        state: Option<&str>,
    ) -> Result<Arc<rows::Page>, Away> {
        let key = (batch.batch_id.to_string(), after, state.map(str::to_owned));
        let store = &self.app.store;
        let read = async {
            let own = Own::of(store.reports().columns(batch).await?.names);
            Ok(rows::Page {
                own,
                shown: store.reports().row_page(batch, after, state, rows::ROWS).await?,
            })
        };
        kept(&self.pages, key).await.get(read).await
    }

    /// Drops what was read, so that the page after a change by hand shows the change.
    pub(super) async fn changed(&self) {
        self.seen.forget().await;
        self.pages.lock().await.clear();
        self.older.lock().await.clear();
    }
}

/// Returns a page's place in the cache. A full cache is emptied before a page is added.
async fn kept<Key: Eq + Hash, Page>(pages: &Pages<Key, Page>, key: Key) -> Arc<Cached<Page>> {
    let mut pages = pages.lock().await;
    if pages.len() >= MOST_PAGES && !pages.contains_key(&key) {
        pages.clear();
    }
    Arc::clone(pages.entry(key).or_default())
}
