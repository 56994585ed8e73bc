//! Maintenance of the suppression list: entries are added, counted and removed. Look-ups are in `suppressed`.

use std::collections::BTreeSet;
use std::sync::Arc;

use db::{Conn, Texts, record};
use jobs::{Identifier, Provider, Timestamp};

use crate::audit;
use crate::audit::Action;
use crate::error::{Result, StoreError};
use crate::people::hash_key::HashKey;
use crate::people::links::evidence::persons_of;
use crate::people::resolve::RevealIds;
use crate::people::suppressed::{Entry, end_waiting, entry, insert, origins_of, remove};
use crate::people::suppression_list::PURPOSE;
use crate::privacy::Privacy;
use crate::reveals::counters::Totals;
use crate::settings::read_or_make;

/// Entries that go into one transaction.
const AT_ONCE: usize = 5_000;

/// A person or a number to suppress. It has no `Debug`, since it is personal data.
#[derive(Clone, PartialEq, Eq)]
pub enum Suppression {
    /// A person, by one of their identifiers.
    Person(Identifier),
    /// A number, in E.164.
    Phone(String),
}

/// The result of suppressing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Suppressed {
    /// Entries that were not on the list before.
    pub added: i64,
    /// Rows that waited for these people, and ended.
    pub rows: i64,
}

/// The result of taking entries off the list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unsuppressed {
    /// Entries that were on the list.
    pub removed: i64,
    /// Entries that stay suppressed, since another entry names the same person.
    pub still_suppressed: i64,
}

record! {
    /// A row of `suppression_list`; the names are the view's.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct SuppressionCount {
        /// The kind of the entries: the name of an identifier kind, or `phone`.
        pub kind: String,
        /// The number of entries.
        pub entries: i64,
        /// When the last entry was added.
        pub last_added_at: String,
    }
}

impl Suppression {
    fn kind(&self) -> &'static str {
        match self {
            Suppression::Person(identifier) => identifier.kind().as_str(),
            Suppression::Phone(_) => "phone",
        }
    }

    fn hash(&self, key: &HashKey) -> i64 {
        match self {
            Suppression::Person(identifier) => key.hash(&identifier.encode()),
            Suppression::Phone(e164) => key.hash_phone(e164),
        }
    }
}

impl Privacy<'_> {
    /// Puts people and numbers on the list. Rows that wait for these people end; requests that are out are not affected.
    ///
    /// # Errors
    /// The database can't be used. Entries added until then stay on the list.
    pub async fn suppress(self, list: &[Suppression]) -> Result<Suppressed> {
        let entry = audit::Entry::of(Action::Suppress).details(format!("entries={}", list.len()));
        self.store.audit().note(entry).await?;
        let (mut all, now) = (Suppressed::default(), self.store.now());
        let key = self.store.db.write(move |conn| Box::pin(key_of(conn, now))).await?;
        // In this order, a transaction writes to few pages of the list and few segments of its filter.
        let mut list = list.to_vec();
        list.sort_by_cached_key(|one| one.hash(&key));
        for some in list.chunks(AT_ONCE) {
            let some = some.to_vec();
            let done = self
                .store
                .db
                .write(move |conn| Box::pin(async move { add(conn, &some, now).await }))
                .await?;
            all.added += done.added;
            all.rows += done.rows;
        }
        Ok(all)
    }

    /// Takes people and numbers off the list. Rows that ended stay as they are.
    ///
    /// # Errors
    /// The database can't be used. Entries removed until then are off the list.
    pub async fn unsuppress(self, list: &[Suppression]) -> Result<Unsuppressed> {
        let entry = audit::Entry::of(Action::Unsuppress).details(format!("entries={}", list.len()));
        self.store.audit().note(entry).await?;
        let (mut all, now) = (Unsuppressed::default(), self.store.now());
        for some in list.chunks(AT_ONCE) {
            let some = some.to_vec();
            let done = self
                .store
                .db
                .write(move |conn| Box::pin(async move { take_off(conn, &some, now).await }))
                .await?;
            all.removed += done.removed;
            all.still_suppressed += done.still_suppressed;
        }
        Ok(all)
    }

    /// Returns how many entries of each kind are on the list.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn suppressions(self) -> Result<Vec<SuppressionCount>> {
        let mut conn = self.store.db.read().await?;
        Ok(conn
            .fetch_all(
                "SELECT kind, entries, last_added_at FROM suppression_list ORDER BY kind",
                &[],
            )
            .await?)
    }
}

async fn key_of(conn: &mut Conn, now: Timestamp) -> Result<HashKey> {
    let secret = read_or_make(conn, PURPOSE, now).await?.pop();
    let missing = || StoreError::NotFound("there is no key for suppressions".into());
    Ok(HashKey::new(&secret.ok_or_else(missing)?))
}

async fn add(conn: &mut Conn, list: &[Suppression], now: Timestamp) -> Result<Suppressed> {
    // Submits look people up under this lock, so rows that a submit loads afterwards are loaded as suppressed.
    RevealIds::lock(conn).await?;
    let key = key_of(conn, now).await?;
    let listed: BTreeSet<Entry> = list
        .iter()
        .map(|one| (one.hash(&key), one.kind()))
        .map(|(hash, kind)| Entry { hash, origin: hash, kind })
        .collect();
    let listed: Vec<Entry> = listed.into_iter().collect();
    let added = insert(conn, &listed, now).await?;
    let (people, others) = people_of(conn, &key, list).await?;
    insert(conn, &others, now).await?;
    let mut totals = Totals::default();
    let reveals = waiting_reveals(conn, &people).await?;
    let rows = end_waiting(conn, &mut totals, &reveals, now).await?;
    totals.flush(conn, now).await?;
    Ok(Suppressed { added: i64::try_from(added).unwrap_or(i64::MAX), rows })
}

/// Returns all identifiers of the people on the list, and entries for the identifiers that are not on the list themselves.
async fn people_of(
    conn: &mut Conn,
    key: &HashKey,
    list: &[Suppression],
) -> Result<(BTreeSet<Arc<str>>, Vec<Entry>)> {
    let named: Vec<Arc<str>> = list
        .iter()
        .filter_map(|one| match one {
            Suppression::Person(identifier) => Some(identifier.encode().into()),
            Suppression::Phone(_) => None,
        })
        .collect();
    let persons = persons_of(conn, named.iter().cloned()).await?;
    let (mut people, mut others) = (BTreeSet::new(), Vec::new());
    for identifier in &named {
        let origin = key.hash(identifier);
        for one in persons.with(identifier) {
            if one != identifier {
                others.extend(entry(one, key.hash(one), origin));
            }
            people.insert(Arc::clone(one));
        }
    }
    Ok((people, others))
}

async fn waiting_reveals(conn: &mut Conn, people: &BTreeSet<Arc<str>>) -> Result<Vec<i64>> {
    let mut waiting = Vec::new();
    for provider in Provider::ALL {
        let found: Vec<(i64,)> = conn.fetch_all(
            "SELECT r.id FROM TEXTS($1) AS e JOIN reveals r ON r.provider = $2 AND r.subject = e.value
             WHERE r.state IN ('queued', 'retrying')",
            &[&Texts::shared(people.iter().cloned()), &provider.as_str()],
        )
        .await?;
        waiting.extend(found.into_iter().map(|(id,)| id));
    }
    Ok(waiting)
}

async fn take_off(conn: &mut Conn, list: &[Suppression], now: Timestamp) -> Result<Unsuppressed> {
    RevealIds::lock(conn).await?;
    let key = key_of(conn, now).await?;
    let hashes: BTreeSet<i64> = list.iter().map(|one| one.hash(&key)).collect();
    let removed = remove(conn, &hashes).await?;
    let still = origins_of(conn, &hashes).await?.len();
    Ok(Unsuppressed { removed, still_suppressed: i64::try_from(still).unwrap_or(i64::MAX) })
}
