use std::collections::BTreeSet;

use db::{Conn, exec, json, rows};
use jobs::{Identifier, IdentifierKind, Provider, Timestamp};
use serde_json::Value;

use crate::decode::parse_provider;
use crate::error::Result;

type BodyRow = (i64, String, i64, Option<String>, Option<Vec<u8>>);

/// Takes a person out of the raw bodies of the calls they were in. Bodies about them alone are
/// deleted; from those about several their entry is cut out. Returns how many it were.
pub(crate) async fn erase(
    conn: &mut Conn,
    reveals: &[i64],
    identifiers: &BTreeSet<String>,
    now: Timestamp,
) -> Result<i64> {
    let found: Vec<BodyRow> = rows!(
        conn,
        "SELECT /* scan */ i.id, i.provider, c.people, i.outcome, i.body
         FROM webhook_inbox i JOIN calls c ON c.call_id = i.call_id
         WHERE i.body IS NOT NULL AND c.id IN (
            SELECT m.call_id FROM call_reveals m
            WHERE m.reveal_id IN (SELECT CAST(e.value AS BIGINT) FROM IDS($1) AS e))",
        json(&reveals),
    )?;
    let mut changed = 0;
    for (id, provider, people, outcome, body) in found {
        let provider = parse_provider(&provider, id)?;
        let body = body.unwrap_or_default();
        let gone = |person: &str| {
            encoded(provider, person).is_some_and(|identifier| identifiers.contains(&identifier))
        };
        let rest = if people > 1 { without(&body, gone) } else { None };
        if rest.as_ref().is_some_and(|rest| *rest == body) {
            continue;
        }
        changed += 1;
        // What waits to be applied can't be once it is gone.
        let done = rest.is_none() && outcome.is_none();
        write(conn, id, rest, done.then_some(now)).await?;
    }
    Ok(changed)
}

/// Cuts people out of a stored body.
pub(crate) async fn cut_out(
    conn: &mut Conn,
    inbox: i64,
    gone: impl Fn(&str) -> bool,
) -> Result<()> {
    let found: Vec<(Vec<u8>,)> =
        rows!(conn, "SELECT body FROM webhook_inbox WHERE id = $1 AND body IS NOT NULL", inbox)?;
    for (body,) in found {
        write(conn, inbox, without(&body, &gone), None).await?;
    }
    Ok(())
}

async fn write(
    conn: &mut Conn,
    id: i64,
    body: Option<Vec<u8>>,
    done: Option<Timestamp>,
) -> Result<()> {
    exec!(
        conn,
        "UPDATE webhook_inbox SET body = $2,
            outcome = CASE WHEN $3 IS NULL THEN outcome ELSE 'erased' END,
            applied_at = COALESCE(applied_at, $3)
         WHERE id = $1",
        id,
        body,
        done.map(|at| at.0),
    )?;
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

/// The body without the entries of those who are `gone`; None where it is not of a shape in which
/// entries can be told apart.
fn without(body: &[u8], gone: impl Fn(&str) -> bool) -> Option<Vec<u8>> {
    let mut value: Value = serde_json::from_slice(body).ok()?;
    let lists: Vec<&mut Vec<Value>> =
        value.as_object_mut()?.values_mut().filter_map(Value::as_array_mut).collect();
    if lists.is_empty() {
        return None;
    }
    let mut cut = false;
    for list in lists {
        let before = list.len();
        list.retain(|entry| !person_id(entry).is_some_and(|person| gone(&person)));
        cut |= list.len() != before;
    }
    if cut { serde_json::to_vec(&value).ok() } else { Some(body.to_vec()) }
}

fn person_id(entry: &Value) -> Option<String> {
    match entry.get("personId")? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::results::bodies::without;

    #[test]
    fn cuts_one_person_out() {
        let body = br#"{"phones": [{"personId": "p1", "numbers": ["+45"]}, {"personId": "p2"}]}"#;
        let rest = without(body, |person| person == "p1").unwrap();
        assert_eq!(rest, br#"{"phones":[{"personId":"p2"}]}"#);
    }

    #[test]
    fn leaves_others_as_they_were() {
        let body = br#"{"phones": [{"personId": 2751}]}"#;
        assert_eq!(without(body, |person| person == "p1").as_deref(), Some(body.as_slice()));
        assert_eq!(without(body, |person| person == "2751").unwrap(), br#"{"phones":[]}"#);
    }

    #[test]
    fn gives_up_on_other_shapes() {
        for body in ["", "[1]", "{}", r#"{"personId": "p1"}"#] {
            assert_eq!(without(body.as_bytes(), |_| true), None, "{body}");
        }
    }
}
