//! Taking people out of raw bodies, and keeping no body that can't be matched any more.

mod strip;

use std::collections::BTreeSet;

use db::{Conn, Ints, Texts, record};
use jobs::{CallId, Identifier, IdentifierKind, Provider, Timestamp};

use crate::decode::parse_provider;
use crate::error::Result;
use crate::people::erased::ERASED;
use crate::people::marks::Marks;
use crate::results::bodies::strip::{Rest, without};

record! {
    /// A body that is kept.
    struct BodyRow {
        id: i64,
        provider: String,
        outcome: Option<String>,
        body: Vec<u8>,
        /// The number of people in the call; none where the call is not looked at.
        people: Option<i64>,
    }
}

/// The setting that holds the time before which requests may have been purged.
const PURGED: &str = "purged_before";

/// How many bodies are looked through at once.
const AT_ONCE: i64 = 100;

/// Takes a person out of the raw bodies of the calls they were in, and of the bodies `elsewhere` that name them. A body
/// about them alone is deleted; from a body about several people their entry is cut out. Returns how many bodies changed.
pub(crate) async fn erase(
    conn: &mut Conn,
    reveals: &[i64],
    marks: &Marks,
    elsewhere: &[i64],
    now: Timestamp,
) -> Result<i64> {
    let found: Vec<BodyRow> = conn
        .fetch_all(
            "SELECT /* scan */ i.id, i.provider, i.outcome, i.body, c.people
             FROM webhook_inbox i JOIN calls c ON c.call_id = i.call_id
             WHERE i.body IS NOT NULL AND c.id IN (
                SELECT m.call_id FROM call_reveals m
                WHERE m.reveal_id IN (SELECT e.value FROM IDS($1) AS e))",
            &[&Ints::of(reveals)],
        )
        .await?;
    let own: BTreeSet<i64> = found.iter().map(|row| row.id).collect();
    let mut changed = 0;
    for row in found {
        let provider = parse_provider(&row.provider, row.id)?;
        let gone = |text: &str| names(provider, marks, text);
        let alone = row.people.is_some_and(|people| people <= 1);
        let rest = if alone { Rest::Nothing } else { without(&row.body, gone) };
        changed += take_out(conn, row.id, rest, row.outcome.is_none().then_some(now)).await?;
    }
    for id in elsewhere.iter().filter(|id| !own.contains(id)) {
        let found: Option<BodyRow> = conn
            .fetch_optional(
                "SELECT id, provider, outcome, body, CAST(NULL AS BIGINT) AS people
                 FROM webhook_inbox WHERE id = $1 AND body IS NOT NULL",
                &[id],
            )
            .await?;
        let Some(row) = found else { continue };
        let provider = parse_provider(&row.provider, *id)?;
        let rest = match without(&row.body, |text| names(provider, marks, text)) {
            Rest::Unreadable if !marks.stand_in(&String::from_utf8_lossy(&row.body)) => continue,
            rest => rest,
        };
        changed += take_out(conn, *id, rest, row.outcome.is_none().then_some(now)).await?;
    }
    Ok(changed)
}

fn names(provider: Provider, marks: &Marks, text: &str) -> bool {
    // An id identifies a person only together with its provider.
    let is_id = encoded(provider, text).is_some_and(|identifier| marks.has(&identifier));
    is_id || (text.to_ascii_lowercase().contains("linkedin") && marks.identifies(text))
}

/// Returns the stored bodies that hold one of the person's identifiers, whichever people their calls asked for.
pub(crate) async fn naming(conn: &mut Conn, marks: &Marks) -> Result<Vec<i64>> {
    let texts = aho_corasick::AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(marks.needles())
        .ok();
    let (mut after, mut naming) = (0, Vec::new());
    loop {
        let some: Vec<(i64, Vec<u8>)> = conn.fetch_all(
            "SELECT id, body FROM webhook_inbox WHERE id > $1 AND body IS NOT NULL ORDER BY id LIMIT $2",
            &[&after, &AT_ONCE],
        )
        .await?;
        let Some((last, _)) = some.last() else { return Ok(naming) };
        after = *last;
        let named =
            some.iter().filter(|(_, body)| texts.as_ref().is_some_and(|t| t.is_match(body)));
        naming.extend(named.map(|(id, _)| *id));
    }
}

async fn take_out(conn: &mut Conn, id: i64, rest: Rest, waiting: Option<Timestamp>) -> Result<i64> {
    match rest {
        Rest::Same => return Ok(0),
        Rest::Cut(body) => write(conn, id, Some(body), None).await?,
        // A body that waits to be applied can't be applied once it is gone.
        Rest::Nothing | Rest::Unreadable => write(conn, id, None, waiting).await?,
    }
    Ok(1)
}

/// Cuts people out of a stored body.
pub(crate) async fn cut_out(
    conn: &mut Conn,
    inbox: i64,
    gone: impl Fn(&str) -> bool,
) -> Result<()> {
    let found: Vec<(Vec<u8>,)> = conn
        .fetch_all("SELECT body FROM webhook_inbox WHERE id = $1 AND body IS NOT NULL", &[&inbox])
        .await?;
    for (body,) in found {
        take_out(conn, inbox, without(&body, &gone), None).await?;
    }
    Ok(())
}

/// Deletes stored bodies; only the record that they came stays.
pub(crate) async fn drop_bodies(conn: &mut Conn, inbox: &[i64]) -> Result<()> {
    conn.execute(
        "UPDATE webhook_inbox SET body = NULL
         WHERE id IN (SELECT e.value FROM IDS($1) AS e)",
        &[&Ints::of(inbox)],
    )
    .await?;
    Ok(())
}

async fn write(
    conn: &mut Conn,
    id: i64,
    body: Option<Vec<u8>>,
    done: Option<Timestamp>,
) -> Result<()> {
    conn.execute(
        "UPDATE webhook_inbox SET body = $2,
            outcome = CASE WHEN CAST($3 AS BIGINT) IS NULL THEN outcome ELSE 'erased' END,
            applied_at = COALESCE(applied_at, $3)
         WHERE id = $1",
        &[&id, &body, &done.map(|at| at.0)],
    )
    .await?;
    Ok(())
}

/// The ledger's identifier for an id under which a provider answers.
pub(crate) fn encoded(provider: Provider, person_id: &str) -> Option<String> {
    let kind = match provider {
        Provider::Ocean => IdentifierKind::OceanPersonId,
        Provider::Clodura => IdentifierKind::CloduraPersonId,
    };
    Identifier::parse(kind, person_id).ok().map(|id| id.encode())
}

/// Notes that requests from before this moment may be gone. Webhooks that still come for them name people who were
/// forgotten.
pub(crate) async fn note_purge(conn: &mut Conn, before: Timestamp) -> Result<()> {
    conn.execute(
        "INSERT INTO settings (name, value) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET value = CASE
            WHEN CAST(settings.value AS BIGINT) < CAST(excluded.value AS BIGINT) THEN excluded.value
            ELSE settings.value END",
        &[&PURGED, &before.0.to_string()],
    )
    .await?;
    Ok(())
}

/// Returns those of the `unknown` calls that this ledger may have purged; it has none of them. A younger call was made after
/// a backup that was restored since: its body is all that is left to show what it cost.
pub(crate) async fn purged<'a>(conn: &mut Conn, unknown: &[&'a str]) -> Result<BTreeSet<&'a str>> {
    if unknown.is_empty() {
        return Ok(BTreeSet::new());
    }
    let before: Option<(String,)> =
        conn.fetch_optional("SELECT value FROM settings WHERE name = $1", &[&PURGED]).await?;
    let before = before.and_then(|(text,)| text.parse().ok()).map(Timestamp);
    let made_at = |call: &str| call.parse::<CallId>().ok().map(CallId::made_at);
    let is_purged = |call: &&str| before.zip(made_at(call)).is_some_and(|(before, at)| at < before);
    Ok(unknown.iter().copied().filter(is_purged).collect())
}

/// Returns those of the calls whose bodies are kept only as far as they can be read: a person in the call was erased, or
/// the call was purged.
pub(crate) async fn forgotten<'a>(
    conn: &mut Conn,
    calls: &BTreeSet<&'a str>,
) -> Result<BTreeSet<&'a str>> {
    let known: Vec<(String, i64)> = conn.fetch_all(
        "SELECT c.call_id, (SELECT COUNT(*) FROM call_reveals m JOIN reveals r ON r.id = m.reveal_id
                            WHERE m.call_id = c.id AND r.subject LIKE $2)
         FROM TEXTS($1) AS e JOIN calls c ON c.call_id = e.value",
        &[&Texts::of(calls), &format!("{ERASED}%")],
    )
    .await?;
    let unknown: Vec<&str> =
        calls.iter().copied().filter(|call| known.iter().all(|(one, _)| one != call)).collect();
    let mut forgotten = purged(conn, &unknown).await?;
    forgotten.extend(
        calls.iter().filter(|call| known.iter().any(|(one, erased)| one == **call && *erased > 0)),
    );
    Ok(forgotten)
}
