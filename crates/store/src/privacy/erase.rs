//! Erasing a person: numbers, names, the rows' own columns and raw bodies, under every identifier that is known to be
//! theirs. Counts, credits and keyed hashes stay. By the hashes, the person is not asked for again, and a later answer is
//! recognised as theirs and discarded.

mod identity;
mod rows;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use db::bulk::{ints, texts, write_rows};
use db::{Conn, Ints, Texts, Traces, record};
use jobs::{Provider, RevealState, Timestamp};

use crate::audit::{Action, Entry};
use crate::batches::rejected;
use crate::decode::parse_provider;
use crate::error::{Result, StoreError};
use crate::people::erased::{placeholder, remember};
use crate::people::hash_key::HashKey;
use crate::people::links::deletion;
use crate::people::marks::Marks;
use crate::people::resolve::RevealIds;
use crate::privacy::Privacy;
use crate::results::bodies;
use crate::reveals::counters::Totals;
use crate::reveals::transition::{Change, shift};
use crate::settings::read_or_make;
use crate::topic::Topic;

/// The people to be erased.
#[derive(Clone)]
pub enum ErasureTarget {
    /// The people with one of these encoded identifiers.
    Identifiers(BTreeSet<String>),
    /// The people with this number.
    Phone {
        /// The number in E.164, if it can be parsed.
        e164: Option<String>,
        /// The number as it was given.
        raw: String,
    },
}

/// One person, by all encoded identifiers that are known to be theirs. Prints no identifier.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity(BTreeSet<String>);

/// The result of an erasure, in counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Erased {
    /// Identifiers that are remembered as hashes.
    pub identifiers: i64,
    /// Reveals that were emptied.
    pub reveals: i64,
    /// Rows of batches that were emptied.
    pub rows: i64,
    /// Numbers that were deleted.
    pub phones: i64,
    /// Raw bodies of webhooks that were deleted or rewritten.
    pub bodies: i64,
}

impl Erased {
    fn in_words(&self) -> String {
        let Erased { identifiers, reveals, rows, phones, bodies } = self;
        format!(
            "identifiers={identifiers} reveals={reveals} rows={rows} phones={phones} bodies={bodies}"
        )
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({} identifiers)", self.0.len())
    }
}

/// The result of an erasure, and the texts to look for afterwards.
#[derive(Debug, Clone, Default)]
pub struct Erasure {
    /// How much was erased.
    pub erased: Erased,
    /// The erased texts, for [`Privacy::scrub`].
    pub traces: Traces,
}

impl Privacy<'_> {
    /// Returns the people that `target` means: one for each identifier or holder of the number, where identifiers that are
    /// known to be the same person's count as one. A person who was never asked for is returned, too, with the given
    /// identifiers.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn identify(self, target: &ErasureTarget) -> Result<Vec<Identity>> {
        let mut conn = self.store.db.read().await?;
        let seeds = match target {
            ErasureTarget::Identifiers(identifiers) => identifiers.clone(),
            ErasureTarget::Phone { e164, raw } => {
                identity::holders(&mut conn, e164.as_deref(), raw).await?
            }
        };
        let mut people: Vec<Identity> = Vec::new();
        for seed in seeds {
            if !people.iter().any(|person| person.0.contains(&seed)) {
                let all = identity::person(&mut conn, &BTreeSet::from([seed])).await?;
                people.push(Identity(all));
            }
        }
        Ok(people)
    }

    /// Erases a person in one transaction. Copies that the database may keep outside of its rows are left to
    /// [`Privacy::scrub`].
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn erase(self, person: &Identity) -> Result<Erasure> {
        let (known, now) = (person.0.clone(), self.store.now());
        let actor = self.store.actor();
        let elsewhere = self.elsewhere(&known).await?;
        self.store
            .db
            .write(move |conn| {
                Box::pin(async move {
                    let erasure = erase(conn, known, elsewhere, now).await?;
                    let entry = Entry::of(Action::Erase).details(erasure.erased.in_words());
                    entry.write(conn, actor, now).await?;
                    Ok(erasure)
                })
            })
            .await
    }

    /// Finds rows and bodies by full scans, since they have no index. This runs before any row is locked.
    async fn elsewhere(self, known: &BTreeSet<String>) -> Result<Elsewhere> {
        let mut conn = self.store.db.read().await?;
        let marks = Marks::of(&identity::person(&mut conn, known).await?);
        let rows = rows::naming(&mut conn, &marks).await?;
        Ok(Elsewhere { rows, bodies: bodies::naming(&mut conn, &marks).await? })
    }
}

/// Other places that name a person: rows that show another person or no person, and bodies of other people's requests.
struct Elsewhere {
    rows: Vec<rows::Place>,
    bodies: Vec<i64>,
}

async fn erase(
    conn: &mut Conn,
    known: BTreeSet<String>,
    elsewhere: Elsewhere,
    now: Timestamp,
) -> Result<Erasure> {
    // Submits look people up under this lock, so no submit creates the person again meanwhile.
    RevealIds::lock(conn).await?;
    let secret = read_or_make(conn, "erasure", now).await?.pop();
    let secret =
        secret.ok_or_else(|| StoreError::NotFound("there is no key for erasures".into()))?;
    let key = HashKey::new(&secret);
    let identifiers = identity::person(conn, &known).await?;
    remember(conn, &key, &identifiers, now).await?;
    let ids = reveals_of(conn, &identifiers).await?;
    let (mut marks, mut traces) = (Marks::of(&identifiers), Traces::default());
    let cells = rows::note(conn, &ids, &mut marks, &mut traces).await?;
    // Calls are locked before reveals, as everywhere.
    words::forget(conn, &ids, &marks, &cells).await?;
    let bodies = bodies::erase(conn, &ids, &marks, &elsewhere.bodies, now).await?;
    let reveals = lock_reveals(conn, &ids).await?;
    end_reveals(conn, &key, &reveals, now).await?;
    let rows = rows::empty(conn, &ids, &elsewhere.rows, now).await?;
    let phones = delete_phones(conn, &ids, &mut marks, &mut traces).await?;
    rejected::erase(conn, &marks).await?;
    deletion::erase(conn, &identifiers, |one| placeholder(&key, one)).await?;
    marks.stored().for_each(|text| traces.add(&text));
    conn.announce(Topic::Queue);
    let erased = Erased {
        identifiers: count(identifiers.len() as u64),
        reveals: count(ids.len() as u64),
        rows: count(rows),
        phones,
        bodies,
    };
    Ok(Erasure { erased, traces })
}

async fn delete_phones(
    conn: &mut Conn,
    reveals: &[i64],
    marks: &mut Marks,
    traces: &mut Traces,
) -> Result<i64> {
    let phones: Vec<(String, Option<String>)> = conn
        .fetch_all(
            "DELETE FROM phones WHERE reveal_id IN (SELECT e.value FROM IDS($1) AS e)
             RETURNING raw, e164",
            &[&Ints::of(reveals)],
        )
        .await?;
    for number in phones.iter().flat_map(|(raw, e164)| [Some(raw), e164.as_ref()]).flatten() {
        marks.add_phone(number);
        traces.add(number);
    }
    Ok(count(phones.len() as u64))
}

fn count(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// A reveal that is to be emptied.
struct Reveal {
    id: i64,
    provider: Provider,
    subject: String,
}

async fn reveals_of(conn: &mut Conn, identifiers: &BTreeSet<String>) -> Result<Vec<i64>> {
    let mut ids = Vec::new();
    for provider in Provider::ALL {
        let found: Vec<(i64,)> = conn.fetch_all(
            "SELECT r.id FROM TEXTS($1) AS e JOIN reveals r ON r.provider = $2 AND r.subject = e.value",
            &[&Texts::of(identifiers), &provider.as_str()],
        )
        .await?;
        ids.extend(found.into_iter().map(|(id,)| id));
    }
    Ok(ids)
}

record! {
    /// The row of a reveal that is to be emptied.
    struct RevealRow {
        id: i64,
        provider: String,
        subject: String,
    }
}

async fn lock_reveals(conn: &mut Conn, ids: &[i64]) -> Result<Vec<Reveal>> {
    let found: Vec<RevealRow> = conn
        .fetch_all(
            "SELECT id, provider, subject FROM reveals
             WHERE id IN (SELECT e.value FROM IDS($1) AS e) ORDER BY id FOR UPDATE",
            &[&Ints::of(ids)],
        )
        .await?;
    found
        .into_iter()
        .map(|row| {
            let provider = parse_provider(&row.provider, row.id)?;
            Ok(Reveal { id: row.id, provider, subject: row.subject })
        })
        .collect()
}

/// Ends reveals in any state. The subject is replaced with a hash, by which a later answer is recognised as the person's.
async fn end_reveals(
    conn: &mut Conn,
    key: &HashKey,
    reveals: &[Reveal],
    now: Timestamp,
) -> Result<()> {
    let mut totals = Totals::default();
    let mut by_provider: BTreeMap<Provider, Vec<i64>> = BTreeMap::new();
    for reveal in reveals {
        by_provider.entry(reveal.provider).or_default().push(reveal.id);
    }
    for (provider, ids) in by_provider {
        let change = Change { reason: Some("erased"), ..Change::to(RevealState::Cancelled) };
        shift(conn, &mut totals, provider, &ids, change, now).await?;
    }
    let columns = vec![
        ("id", ints(reveals.iter().map(|reveal| reveal.id))),
        ("subject", texts(reveals.iter().map(|reveal| Some(placeholder(key, &reveal.subject))))),
    ];
    write_rows(
        conn,
        "UPDATE reveals SET subject = e.subject, owner = NULL, isolation_group = NULL, repeat_of = NULL
         FROM ROWS WHERE reveals.id = e.id",
        columns,
    )
    .await?;
    totals.flush(conn, now).await
}
