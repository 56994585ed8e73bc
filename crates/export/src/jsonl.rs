use jobs::Timestamp;
use store::ExportRow;

use crate::kept::{self, UnreadableFields, push_string};
use crate::{RESERVED, joined};

/// One row: the caller's object and our keys. What there is none of is null.
pub fn row(out: &mut Vec<u8>, columns: &[String], row: &ExportRow) -> Result<(), UnreadableFields> {
    let mut object = kept::object(row.fields, columns)?;
    object.pop();
    let (phones, kinds) = joined(row);
    let credits = row.credits.to_string();
    let at = row.revealed_at.map(Timestamp::iso8601);
    let has_phones = !row.phones.is_empty();
    let ours = [
        Value::Text(Some(row.state)),
        Value::Text(row.provider),
        Value::Text(has_phones.then_some(phones.as_str())),
        Value::Text(has_phones.then_some(kinds.as_str())),
        Value::Json(&credits),
        Value::Text(row.reason),
        Value::Text(at.as_deref()),
    ];
    for (key, value) in RESERVED.iter().zip(ours) {
        if object.len() > 1 {
            object.push(',');
        }
        push_string(&mut object, key);
        object.push(':');
        match value {
            Value::Text(Some(text)) => push_string(&mut object, text),
            Value::Text(None) => object.push_str("null"),
            Value::Json(json) => object.push_str(json),
        }
    }
    object.push_str("}\n");
    out.extend_from_slice(object.as_bytes());
    Ok(())
}

enum Value<'a> {
    Text(Option<&'a str>),
    Json(&'a str),
}

#[cfg(test)]
mod tests {
    use super::*;
    use jobs::Timestamp;
    use store::ExportPhone;

    #[test]
    fn adds_to_the_callers_object() {
        let phone = ExportPhone { number: "+4512345678", kind: Some("mobile") };
        let found = ExportRow {
            number: 1,
            fields: r#"{"name":"A \"B\"","n":1.50}"#,
            state: "found",
            provider: Some("ocean"),
            phones: vec![phone],
            credits: jobs::Credits::whole(1),
            reason: None,
            revealed_at: Some(Timestamp(0)),
        };
        let mut out = Vec::new();
        row(&mut out, &[], &found).unwrap();
        let erased = ExportRow { fields: "{}", phones: Vec::new(), ..found };
        row(&mut out, &[], &erased).unwrap();
        let text = String::from_utf8(out).unwrap();
        let expected = concat!(
            r#"{"name":"A \"B\"","n":1.50,"reveal_state":"found","reveal_provider":"ocean","#,
            r#""reveal_phones":"+4512345678","reveal_phone_types":"mobile","reveal_credits":1,"#,
            r#""reveal_reason":null,"reveal_at":"1970-01-01T00:00:00.000Z"}"#,
        );
        assert_eq!(text.lines().next(), Some(expected));
        assert!(text.lines().nth(1).unwrap().starts_with(r#"{"reveal_state":"found","#));
    }
}
