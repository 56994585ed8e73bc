use jobs::Timestamp;
use jobs::phone_type::best_mobile;
use store::{ExportPhone, ExportRow};

/// Columns that every export adds.
const ALWAYS: [&str; 7] = [
    "reveal_state",
    "reveal_provider",
    "reveal_phones",
    "reveal_phone_types",
    "reveal_credits",
    "reveal_reason",
    "reveal_at",
];

/// Columns that a wide export adds to these: number, type and country of the first numbers.
const WIDE: [&str; 10] = [
    "reveal_mobile",
    "reveal_phone_1",
    "reveal_phone_1_type",
    "reveal_phone_1_country",
    "reveal_phone_2",
    "reveal_phone_2_type",
    "reveal_phone_2_country",
    "reveal_phone_3",
    "reveal_phone_3_type",
    "reveal_phone_3_country",
];

/// How many numbers have columns of their own.
const WIDE_NUMBERS: usize = (WIDE.len() - 1) / 3;

/// Whether an export adds a column of this name. A caller's column of such a name comes from an earlier
/// export and is dropped, or the next export would have it twice.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    ALWAYS.iter().chain(&WIDE).any(|reserved| name.eq_ignore_ascii_case(reserved))
}

/// The names of the columns that are added.
pub(crate) fn names<'a>(wide: bool) -> impl Iterator<Item = &'a str> {
    let (always, only_wide): ([&'a str; 7], [&'a str; 10]) = (ALWAYS, WIDE);
    always.into_iter().chain(only_wide.into_iter().filter(move |_| wide))
}

/// The value of an added column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// There is none.
    Nothing,
    /// Our own word, or a time.
    Text(&'a str),
    /// A number to calculate with.
    Number(&'a str),
    /// A provider's words, which may be anything.
    Said(&'a str),
}

impl<'a> Value<'a> {
    fn text(text: Option<&'a str>) -> Self {
        text.map_or(Value::Nothing, Value::Text)
    }

    fn said(text: Option<&'a str>) -> Self {
        text.map_or(Value::Nothing, Value::Said)
    }
}

/// Passes each value that is added to a row to `take`, in the order of [`names`].
pub(crate) fn each(row: &ExportRow, wide: bool, mut take: impl FnMut(Value<'_>)) {
    let (phones, types) = joined(&row.phones);
    let has_phones = !row.phones.is_empty();
    take(Value::Text(row.state));
    take(Value::text(row.provider));
    take(Value::said(has_phones.then_some(phones.as_str())));
    take(Value::text(has_phones.then_some(types.as_str())));
    take(Value::Number(&row.credits.to_string()));
    take(Value::said(row.reason));
    take(Value::text(row.revealed_at.map(Timestamp::iso8601).as_deref()));
    if !wide {
        return;
    }
    let best = best_mobile(row.phones.iter().map(|phone| phone.kind));
    take(Value::said(best.and_then(|place| row.phones.get(place)).map(|phone| phone.number)));
    for place in 0..WIDE_NUMBERS {
        let phone = row.phones.get(place);
        take(Value::said(phone.map(|phone| phone.number)));
        take(Value::text(phone.and_then(|phone| phone.kind)));
        take(Value::text(phone.and_then(|phone| phone.country)));
    }
}

/// Numbers and their types, each with `;` between.
fn joined(phones: &[ExportPhone]) -> (String, String) {
    let (mut numbers, mut types) = (String::new(), String::new());
    for (place, phone) in phones.iter().enumerate() {
        if place > 0 {
            numbers.push(';');
            types.push(';');
        }
        numbers.push_str(phone.number);
        types.push_str(phone.kind.unwrap_or(""));
    }
    (numbers, types)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn row<'a>(fields: &'a str, phones: Vec<ExportPhone<'a>>) -> ExportRow<'a> {
        ExportRow {
            number: 1,
            fields,
            state: "found",
            provider: Some("ocean"),
            phones,
            credits: Default::default(),
            reason: None,
            revealed_at: Some(Timestamp(0)),
        }
    }

    pub(crate) fn phone<'a>(
        number: &'a str,
        kind: Option<&'a str>,
        country: Option<&'a str>,
    ) -> ExportPhone<'a> {
        ExportPhone { number, kind, country }
    }

    fn texts(row: &ExportRow, wide: bool) -> Vec<String> {
        let mut all = Vec::new();
        each(row, wide, |value| {
            all.push(match value {
                Value::Nothing => String::new(),
                Value::Text(text) | Value::Number(text) | Value::Said(text) => text.to_owned(),
            });
        });
        all
    }

    #[test]
    fn a_wide_row_has_each_of_the_first_numbers_and_the_best_mobile() {
        let phones = vec![
            phone("+4533123456", Some("fixed_line"), Some("DK")),
            phone("+12015550123", Some("fixed_or_mobile"), Some("US")),
            phone("0170 1234567", None, None),
            phone("+4520123456", Some("mobile"), Some("DK")),
        ];
        let found = row("[]", phones);
        let values = texts(&found, true);
        assert_eq!(values.len(), names(true).count());
        assert_eq!(values[3], "fixed_line;fixed_or_mobile;;mobile");
        assert_eq!(
            values[7..],
            [
                "+4520123456",
                "+4533123456",
                "fixed_line",
                "DK",
                "+12015550123",
                "fixed_or_mobile",
                "US",
                "0170 1234567",
                "",
                ""
            ]
        );
    }

    #[test]
    fn a_row_has_a_value_for_each_name() {
        for wide in [false, true] {
            assert_eq!(texts(&row("[]", Vec::new()), wide).len(), names(wide).count());
        }
    }

    #[test]
    fn names_of_any_export_are_reserved() {
        assert!(names(true).all(is_reserved) && is_reserved("Reveal_State"));
        assert!(!is_reserved("reveal_phone_4") && !is_reserved("phone"));
    }
}
