use store::ExportRow;

use crate::Layout;
use crate::added::{self, Value};
use crate::kept::{self, UnreadableFields, push_string};

/// Writes one row: the caller's object and our keys. A missing value is null.
///
/// # Errors
/// The row's own columns can't be read back.
pub fn row(out: &mut Vec<u8>, layout: &Layout, row: &ExportRow) -> Result<(), UnreadableFields> {
    let mut object = kept::object(row.fields, &layout.columns)?;
    object.pop();
    let mut keys = added::names(layout.wide);
    added::each(row, layout.wide, |value| {
        if object.len() > 1 {
            object.push(',');
        }
        push_string(&mut object, keys.next().unwrap_or_default());
        object.push(':');
        match value {
            Value::Nothing => object.push_str("null"),
            Value::Number(json) => object.push_str(json),
            Value::Text(text) | Value::Said(text) => push_string(&mut object, text),
        }
    });
    object.push_str("}\n");
    out.extend_from_slice(object.as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use jobs::{FileForm, FileFormat};
    use store::ExportRow;

    use super::*;
    use crate::added::tests::{phone, row as found};

    #[test]
    fn adds_to_the_callers_object() {
        let form = FileForm::new(FileFormat::Jsonl);
        let layout = Layout { columns: Vec::new(), form, wide: false };
        let phones = vec![phone("+4512345678", Some("mobile"), Some("DK"))];
        let one = found(r#"{"name":"A \"B\"","n":1.50}"#, phones);
        let mut out = Vec::new();
        row(&mut out, &layout, &one).unwrap();
        let erased = ExportRow { fields: "{}", phones: Vec::new(), ..one };
        row(&mut out, &layout, &erased).unwrap();
        let text = String::from_utf8(out).unwrap();
        let expected = concat!(
            r#"{"name":"A \"B\"","n":1.50,"reveal_state":"found","reveal_provider":"ocean","#,
            r#""reveal_phones":"+4512345678","reveal_phone_types":"mobile","reveal_credits":0,"#,
            r#""reveal_reason":null,"reveal_at":"1970-01-01T00:00:00.000Z"}"#,
        );
        assert_eq!(text.lines().next(), Some(expected));
        assert!(text.lines().nth(1).unwrap().starts_with(r#"{"reveal_state":"found","#));
    }
}
