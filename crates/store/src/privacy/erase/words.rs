//! Providers' messages about a person, in the outcomes of the person's requests and in the reasons of people who were asked
//! in the same requests.

use std::collections::BTreeSet;

use db::bulk::{Columns, ints, texts, write_rows};
use db::{Conn, Ints, Texts, record};

use crate::error::Result;
use crate::people::marks::Marks;

/// A shorter cell of a row doesn't identify a person.
const SHORTEST: usize = 3;

/// What is left of a text, and the id of the row that holds it.
struct Said {
    id: i64,
    said: String,
}

record! {
    /// A request that included the person.
    struct CallRow {
        id: i64,
        call_id: String,
        people: i64,
        outcome: Option<String>,
    }
}

/// Deletes the provider's tracking ids of requests for this person only, and its messages about all requests that included
/// the person.
pub(super) async fn forget(
    conn: &mut Conn,
    reveals: &[i64],
    marks: &Marks,
    cells: &BTreeSet<String>,
) -> Result<()> {
    let calls: Vec<CallRow> = conn
        .fetch_all(
            "SELECT /* scan */ id, call_id, people, outcome FROM calls WHERE id IN (
                SELECT m.call_id FROM call_reveals m
                WHERE m.reveal_id IN (SELECT e.value FROM IDS($1) AS e))
             ORDER BY id FOR UPDATE",
            &[&Ints::of(reveals)],
        )
        .await?;
    let alone: Vec<i64> =
        calls.iter().filter(|call| call.people == 1).map(|call| call.id).collect();
    conn.execute(
        "UPDATE calls SET tracking_id = NULL, poll_at = NULL, poll_lease = NULL
         WHERE id IN (SELECT e.value FROM IDS($1) AS e)",
        &[&Ints::of(&alone)],
    )
    .await?;
    let outcomes: Vec<Said> =
        calls.iter().filter_map(|call| status_alone(call.id, call.outcome.as_deref()?)).collect();
    let sql = "UPDATE calls SET outcome = e.said FROM ROWS WHERE calls.id = e.id";
    write_rows(conn, sql, columns(&outcomes)).await?;
    let names: Vec<&str> = calls.iter().map(|call| call.call_id.as_str()).collect();
    forget_lookups(conn, &names).await?;
    let calls: Vec<i64> = calls.iter().map(|call| call.id).collect();
    forget_reasons(conn, &calls, marks, cells).await?;
    forget_messages(conn, marks, cells).await
}

async fn forget_lookups(conn: &mut Conn, calls: &[&str]) -> Result<()> {
    let free_requests: Vec<(i64, Option<String>)> = conn
        .fetch_all(
            "SELECT /* scan */ l.id, l.outcome FROM free_requests l
             WHERE l.kind = 'track' AND l.call_id IN (SELECT e.value FROM TEXTS($1) AS e)",
            &[&Texts::of(calls)],
        )
        .await?;
    let said: Vec<Said> = free_requests
        .into_iter()
        .map(|(id, outcome)| {
            let outcome = outcome.unwrap_or_default();
            status_alone(id, &outcome).unwrap_or(Said { id, said: outcome })
        })
        .collect();
    write_rows(
        conn,
        "UPDATE free_requests SET tracking_id = NULL, outcome = e.said FROM ROWS
         WHERE free_requests.id = e.id",
        columns(&said),
    )
    .await?;
    Ok(())
}

/// Shortens each reason of a reveal in the same requests that names the person. All other reasons stay.
async fn forget_reasons(
    conn: &mut Conn,
    calls: &[i64],
    marks: &Marks,
    cells: &BTreeSet<String>,
) -> Result<()> {
    let reasons: Vec<(i64, String)> = conn
        .fetch_all(
            "SELECT DISTINCT r.id, r.reason FROM IDS($1) AS e
             JOIN call_reveals m ON m.call_id = e.value JOIN reveals r ON r.id = m.reveal_id
             WHERE r.reason LIKE '%HTTP%' ORDER BY r.id",
            &[&Ints::of(calls)],
        )
        .await?;
    let naming = reasons.iter().filter(|(_, reason)| is_about(reason, marks, cells));
    let said: Vec<Said> = naming.filter_map(|(id, reason)| status_alone(*id, reason)).collect();
    let sql = "UPDATE reveals SET reason = e.said FROM ROWS WHERE reveals.id = e.id";
    write_rows(conn, sql, columns(&said)).await?;
    Ok(())
}

fn columns(said: &[Said]) -> Columns {
    vec![
        ("id", ints(said.iter().map(|one| one.id))),
        ("said", texts(said.iter().map(|one| Some(&*one.said)))),
    ]
}

/// Shortens a gate's message on why it is closed if the message names the person.
async fn forget_messages(conn: &mut Conn, marks: &Marks, cells: &BTreeSet<String>) -> Result<()> {
    let messages: Vec<(String, String)> = conn.fetch_all(
        "SELECT provider, message FROM provider_gates WHERE message IS NOT NULL ORDER BY provider",
        &[],
    )
    .await?;
    for (provider, message) in messages {
        if is_about(&message, marks, cells) {
            conn.execute(
                "UPDATE provider_gates SET message = $2 WHERE provider = $1",
                &[&provider, &status_alone(0, &message).map(|said| said.said)],
            )
            .await?;
        }
    }
    Ok(())
}

/// Returns whether a text contains an identifier of the person, or a cell of their rows.
fn is_about(text: &str, marks: &Marks, cells: &BTreeSet<String>) -> bool {
    let lower = text.to_lowercase();
    marks.stand_in(text)
        || cells
            .iter()
            .any(|cell| cell.chars().count() >= SHORTEST && lower.contains(cell.as_str()))
}

/// Returns the text up to and including the HTTP status, since the provider's own words follow it. Returns `None` if there
/// is no status or nothing follows it.
fn status_alone(id: i64, text: &str) -> Option<Said> {
    const STATUS: &str = "HTTP ";
    let at = text.find(STATUS)? + STATUS.len();
    let end = text[at..].find(|c: char| !c.is_ascii_digit())? + at;
    Some(Said { id, said: text[..end].to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_outcome_the_status_stays() {
        for (text, rest) in [
            ("refused: HTTP 422: Jane Doe is unknown", Some("refused: HTTP 422")),
            ("unknown: HTTP 500", None),
            ("unknown: its worker is gone", None),
            (
                "accepted perhaps: undocumented answer: HTTP 200: x",
                Some("accepted perhaps: undocumented answer: HTTP 200"),
            ),
        ] {
            assert_eq!(status_alone(1, text).map(|said| said.said).as_deref(), rest, "{text}");
        }
    }

    #[test]
    fn a_text_is_about_a_person_by_a_word_of_their_rows() {
        let marks = Marks::of(&["ocean:o1".to_owned()].into());
        let cells = BTreeSet::from(["jane doe".to_owned(), "de".to_owned()]);
        for text in ["Jane Doe was not found", "no such id: o1"] {
            assert!(is_about(text, &marks, &cells), "{text}");
        }
        assert!(!is_about("no such id: o12, indeed", &marks, &cells));
    }
}
