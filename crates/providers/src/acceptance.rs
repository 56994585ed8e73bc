use serde_json::Value;

/// Whether a body says that an order was accepted: an object, wrapped in `data` at most, with one of `fields` and
/// without an error. An empty object counts as an acceptance.
pub(crate) fn is_acceptance(body: &Value, fields: &[&str]) -> bool {
    let object = match body.get("data") {
        Some(inner @ Value::Object(_)) => inner,
        _ => body,
    };
    let says_nothing = body.as_object().is_some_and(serde_json::Map::is_empty);
    (says_nothing || fields.iter().any(|field| object.get(*field).is_some()))
        && !speaks_of_an_error(body)
        && !speaks_of_an_error(object)
}

fn speaks_of_an_error(body: &Value) -> bool {
    let is_error_status = |value: &Value| match value {
        Value::Number(number) => number.as_u64().is_some_and(|status| status >= 400),
        Value::String(word) => {
            let word = word.to_lowercase();
            ["error", "fail", "denied", "invalid", "forbidden", "unauthorized"]
                .iter()
                .any(|bad| word.contains(bad))
        }
        _ => false,
    };
    let says_something = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    };
    ["error", "errors"].iter().any(|name| body.get(*name).is_some_and(says_something))
        || ["success", "ok"].iter().any(|name| body.get(*name) == Some(&Value::Bool(false)))
        || ["status", "statusCode", "code"]
            .iter()
            .any(|name| body.get(*name).is_some_and(is_error_status))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_acceptance_says_so() {
        let fields = &["trackingId", "status"];
        for body in [
            json!({"status": "in progress"}),
            json!({"trackingId": null}),
            json!({"trackingId": "t1", "status": "Callback will be triggered", "error": null}),
            json!({"data": {"trackingId": "t1"}}),
            json!({}),
        ] {
            assert!(is_acceptance(&body, fields), "{body}");
        }
        for body in [
            json!([]),
            json!("OK"),
            json!({"detail": "Internal error"}),
            json!({"status": "error"}),
            json!({"status": 500}),
            json!({"status": "failed", "trackingId": null}),
            json!({"status": "ok", "errors": ["no"]}),
            json!({"success": false, "data": {"trackingId": "t1"}}),
        ] {
            assert!(!is_acceptance(&body, fields), "{body}");
        }
    }
}
