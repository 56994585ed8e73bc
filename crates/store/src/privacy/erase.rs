//! Erasing a person: numbers, names, the rows' own columns, raw bodies, under every identifier that
//! is known to be theirs. What stays are counts, money, and keyed hashes, by which the person is not
//! asked for again and a later answer is known as theirs and thrown away.

mod identity;

use std::collections::{BTreeMap, BTreeSet};

use db::{Conn, Texts, exec, json, rows};
use jobs::{Provider, RevealState, Timestamp};
use serde::Serialize;

use crate::audit::{Action, Entry};
use crate::batches::rejected;
use crate::decode::parse_provider;
use crate::error::{Result, StoreError};
use crate::people::erased::{ERASED, ErasureKey, remember};
use crate::people::links;
use crate::people::resolve::Numbers;
use crate::results::bodies;
use crate::reveals::counters::Totals;
use crate::reveals::transition::{Change, shift};
use crate::settings::read_or_make;
use crate::store::Store;
use crate::topic::Topic;

/// Who is to be erased.
#[derive(Clone)]
pub enum Whom {
    /// Whoever has one of these encoded identifiers.
    Identifiers(BTreeSet<String>),
    /// Whoever has this number.
    Phone {
        /// In E.164, where it can be read as such.
        e164: Option<String>,
        /// As it was given.
        raw: String,
    },
}

/// One person, by all encoded identifiers that are known to be theirs. Prints no identifier.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity(BTreeSet<String>);

/// What erasing came to.
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

impl Store {
    /// The people who are meant: one for each identifier or holder of the number, less those who are
    /// known to be the same. Somebody nobody was asked for is there, too, with what was given.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn identify(&self, whom: &Whom) -> Result<Vec<Identity>> {
        let mut conn = self.db.read().await?;
        let seeds = match whom {
            Whom::Identifiers(identifiers) => identifiers.clone(),
            Whom::Phone { e164, raw } => identity::holders(&mut conn, e164.as_deref(), raw).await?,
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

    /// Erases a person. One transaction: all of it or nothing.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn erase(&self, person: &Identity) -> Result<Erased> {
        let (known, now) = (person.0.clone(), self.now());
        let actor = self.actor();
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    let erased = erase(conn, known, now).await?;
                    let entry = Entry::of(Action::Erase).details(erased.in_words());
                    entry.write(conn, actor, now).await?;
                    Ok(erased)
                })
            })
            .await
    }
}

async fn erase(conn: &mut Conn, known: BTreeSet<String>, now: Timestamp) -> Result<Erased> {
    // The lock under which submits look people up: nobody may make the person anew meanwhile.
    Numbers::lock(conn).await?;
    let secret = read_or_make(conn, "erasure", now).await?.pop();
    let secret =
        secret.ok_or_else(|| StoreError::NotFound("there is no key for erasures".into()))?;
    let key = ErasureKey::new(&secret)?;
    let identifiers = identity::person(conn, &known).await?;
    remember(conn, &key, &identifiers, now).await?;
    let ids = reveals_of(conn, &identifiers).await?;
    // Calls are locked before reveals, as everywhere.
    forget_requests(conn, &ids).await?;
    let bodies = bodies::erase(conn, &ids, &identifiers, now).await?;
    let reveals = lock_reveals(conn, &ids).await?;
    end_reveals(conn, &key, &reveals, now).await?;
    let rows = empty_rows(conn, &ids, now).await?;
    rejected::erase(conn, &identifiers).await?;
    let phones = exec!(
        conn,
        "DELETE FROM phones WHERE reveal_id IN (SELECT CAST(e.value AS BIGINT) FROM IDS($1) AS e)",
        json(&ids),
    )?;
    links::erase(conn, &identifiers, |one| format!("{ERASED}{}", key.hash(one))).await?;
    conn.announce(Topic::Queue);
    Ok(Erased {
        identifiers: count(identifiers.len() as u64),
        reveals: count(ids.len() as u64),
        rows: count(rows),
        phones: count(phones),
        bodies,
    })
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
        let found: Vec<(i64,)> = rows!(
            conn,
            "SELECT r.id FROM TEXTS($1) AS e JOIN reveals r ON r.provider = $2 AND r.subject = e.value",
            Texts::of(identifiers),
            provider.as_str(),
        )?;
        ids.extend(found.into_iter().map(|(id,)| id));
    }
    Ok(ids)
}

async fn lock_reveals(conn: &mut Conn, ids: &[i64]) -> Result<Vec<Reveal>> {
    let found: Vec<(i64, String, String)> = rows!(
        conn,
        "SELECT id, provider, subject FROM reveals
         WHERE id IN (SELECT CAST(e.value AS BIGINT) FROM IDS($1) AS e) ORDER BY id FOR UPDATE",
        json(&ids),
    )?;
    found
        .into_iter()
        .map(|(id, provider, subject)| {
            Ok(Reveal { id, provider: parse_provider(&provider, id)?, subject })
        })
        .collect()
}

/// Ends reveals in whatever state they are. In place of the person they keep a hash, by which an
/// answer that still comes is known as theirs.
async fn end_reveals(
    conn: &mut Conn,
    key: &ErasureKey,
    reveals: &[Reveal],
    now: Timestamp,
) -> Result<()> {
    #[derive(Serialize)]
    struct Row {
        id: i64,
        subject: String,
    }
    let mut totals = Totals::default();
    let mut by_provider: BTreeMap<Provider, Vec<i64>> = BTreeMap::new();
    for reveal in reveals {
        by_provider.entry(reveal.provider).or_default().push(reveal.id);
    }
    for (provider, ids) in by_provider {
        let change = Change { reason: Some("erased"), ..Change::to(RevealState::Cancelled) };
        shift(conn, &mut totals, provider, &ids, change, now).await?;
    }
    let subjects: Vec<Row> = reveals
        .iter()
        .map(|reveal| Row {
            id: reveal.id,
            subject: format!("{ERASED}{}", key.hash(&reveal.subject)),
        })
        .collect();
    exec!(
        conn,
        "UPDATE reveals SET subject = e.value->>'subject', lane = NULL, cohort = NULL, repeat_of = NULL
         FROM EACH($1) AS e WHERE reveals.id = CAST(e.value->>'id' AS BIGINT)",
        json(&subjects),
    )?;
    totals.flush(conn, now).await
}

/// Ends the person's rows; of their columns nothing is kept.
async fn empty_rows(conn: &mut Conn, reveals: &[i64], now: Timestamp) -> Result<u64> {
    Ok(exec!(
        conn,
        "UPDATE batch_rows SET ended = 'erased', ended_at = COALESCE(ended_at, $2),
            fields = CASE WHEN (SELECT b.header FROM batches b WHERE b.id = batch_rows.batch_id) IS NULL
                          THEN '{}' ELSE '[]' END
         WHERE reveal_id IN (SELECT CAST(e.value AS BIGINT) FROM IDS($1) AS e)",
        json(&reveals),
        now.0,
    )?)
}

/// Takes the provider's names of requests that were for this person only.
async fn forget_requests(conn: &mut Conn, reveals: &[i64]) -> Result<()> {
    let alone: Vec<(i64, String)> = rows!(
        conn,
        "SELECT /* scan */ id, call_id FROM calls WHERE people = 1 AND id IN (
            SELECT m.call_id FROM call_reveals m
            WHERE m.reveal_id IN (SELECT CAST(e.value AS BIGINT) FROM IDS($1) AS e))
         ORDER BY id FOR UPDATE",
        json(&reveals),
    )?;
    let (ids, names): (Vec<i64>, Vec<String>) = alone.into_iter().unzip();
    exec!(
        conn,
        "UPDATE calls SET tracking_id = NULL, poll_at = NULL, poll_lease = NULL
         WHERE id IN (SELECT CAST(e.value AS BIGINT) FROM IDS($1) AS e)",
        json(&ids),
    )?;
    exec!(
        conn,
        "UPDATE /* scan */ lookups SET tracking_id = NULL
         WHERE tracking_id IS NOT NULL AND call_id IN (SELECT e.value FROM TEXTS($1) AS e)",
        Texts::of(&names),
    )?;
    Ok(())
}
