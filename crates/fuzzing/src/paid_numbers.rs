use jobs::Provider;
use jobs::outcome::{Finding, PersonResult};
use providers::webhook::parse;
use serde_json::{Map, Value, json};

use crate::choices::Choices;

/// Numbers beyond doubt, each in E.164 and as people write it.
const NUMBERS: [[&str; 3]; 6] = [
    ["+4512345678", "+45 12 34 56 78", "004512345678"],
    ["+14395700805", "+1 (439) 570-0805", "+1439.570.0805"],
    ["+442079460958", "+44 (0)20 7946 0958", "+44 20 7946 0958"],
    ["+33600000000", "+33 6 00 00 00 00", "0033600000000"],
    ["+491701234567", "+49 (0)170 1234567", "+49170/1234567"],
    ["+390236618300", "+39 02 3661 8300", "+39-02-36618300"],
];

/// Fields that hold a number.
const FIELDS: [&str; 6] =
    ["number", "raw_number", "sanitizedNumber", "phoneNumber", "e164", "phone"];

/// Undocumented fields. Their values must hide no number.
const OTHERS: [&str; 8] =
    ["note", "source", "confidence", "updatedAt", "carrier", "extra", "score", "label"];

/// All numbers in a published form are read, or their people stay open: a person who was paid for is never taken to
/// have no number, and no number is left out.
pub(crate) fn holds(data: &[u8]) {
    let mut choices = Choices(data);
    let provider = choices.of(&Provider::ALL);
    let people: Vec<Paid> =
        (0..=choices.below(3)).map(|place| Paid::new(place, &mut choices)).collect();
    let body = match provider {
        Provider::Ocean => ocean(&people, &mut choices),
        Provider::Clodura => clodura(&people, &mut choices),
    };
    let text = body.to_string();
    let reading =
        parse(provider, text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"));
    for person in &people {
        let result =
            reading.results.iter().find(|result| result.person_id.as_ref() == Some(&person.id));
        let result = result.unwrap_or_else(|| panic!("{} vanished: {text}", person.id));
        for e164 in &person.numbers {
            assert!(is_kept(result, e164), "{e164} of {} vanished: {text}", person.id);
        }
    }
}

fn is_kept(result: &PersonResult, e164: &str) -> bool {
    match &result.finding {
        Finding::Found { phones, .. } => {
            phones.iter().any(|phone| phone.e164.as_deref() == Some(e164))
        }
        Finding::Unreadable | Finding::InProgress => true,
        Finding::NotFound | Finding::OutOfCredits => false,
    }
}

/// A person, and how the numbers that were paid for are written.
struct Paid {
    id: String,
    numbers: Vec<&'static str>,
    written: Value,
}

impl Paid {
    fn new(place: usize, choices: &mut Choices<'_>) -> Self {
        let first = choices.below(NUMBERS.len());
        let count = 1 + choices.below(3);
        let several: Vec<[&str; 3]> =
            (first..first + count).map(|n| NUMBERS[n % NUMBERS.len()]).collect();
        let texts: Vec<&str> = several.iter().map(|writings| choices.of(writings)).collect();
        let written = match choices.below(4) {
            0 => json!(texts),
            1 => Value::from(texts.iter().map(|text| object(text, choices)).collect::<Vec<_>>()),
            2 => json!(texts.join(choices.of(&[", ", "; ", " / ", "\n", " or ", "|"]))),
            _ => Value::from(
                texts.iter().flat_map(|text| [json!(text), noise(choices, 2)]).collect::<Vec<_>>(),
            ),
        };
        let numbers = several.iter().map(|[e164, ..]| *e164).collect();
        Paid { id: format!("p-{place}"), numbers, written }
    }
}

fn object(text: &str, choices: &mut Choices<'_>) -> Value {
    let mut fields = Map::new();
    fields.insert(choices.of(&FIELDS).to_owned(), json!(text));
    fields.insert("type".to_owned(), json!(choices.of(&["mobile", "work", "", "direct dial"])));
    with_noise(fields, choices)
}

fn with_noise(fields: Map<String, Value>, choices: &mut Choices<'_>) -> Value {
    with_fields(fields, choices, 2)
}

/// Nests up to `deep` levels: the parser refuses JSON of more than 128.
fn with_fields(mut fields: Map<String, Value>, choices: &mut Choices<'_>, deep: usize) -> Value {
    for _ in 0..choices.below(3) {
        let name = choices.of(&OTHERS);
        let noise = noise(choices, deep);
        fields.entry(name).or_insert(noise);
    }
    Value::Object(fields)
}

fn noise(choices: &mut Choices<'_>, deep: usize) -> Value {
    match choices.below(8) {
        0 => Value::Null,
        1 => json!(choices.yes()),
        2 => json!(choices.below(256) as f64 / 7.0),
        3 => json!(choices.below(256)),
        4 if deep > 0 => {
            Value::from((0..choices.below(3)).map(|_| noise(choices, deep - 1)).collect::<Vec<_>>())
        }
        5 if deep > 0 => with_fields(Map::new(), choices, deep - 1),
        6 => json!("2026-01-31"),
        _ => json!(choices.text()),
    }
}

fn ocean(people: &[Paid], choices: &mut Choices<'_>) -> Value {
    let mut entries = Vec::new();
    for person in people {
        let status = choices.of(&["verified", "Verified", "FOUND", "found"]);
        let mut fields = Map::new();
        fields.insert("personId".to_owned(), json!(person.id));
        if choices.yes() {
            fields.insert("phone".to_owned(), json!({"status": status, "numbers": person.written}));
        } else {
            fields.insert("status".to_owned(), json!(status));
            fields.insert("numbers".to_owned(), person.written.clone());
        }
        entries.push(with_noise(fields, choices));
        if choices.yes() {
            entries.push(choices.of(&[Value::Null, json!([]), json!("x")].each_ref()).clone());
        }
    }
    let list = choices.of(&["phones", "results"]);
    wrapped(json!({ list: entries }), choices)
}

fn clodura(people: &[Paid], choices: &mut Choices<'_>) -> Value {
    let mut entries = Vec::new();
    for person in people {
        let mut fields = Map::new();
        fields.insert("personId".to_owned(), json!(person.id));
        let numbers =
            if choices.yes() { person.written.clone() } else { by_source(person, choices) };
        fields.insert("phoneNumbers".to_owned(), numbers);
        entries.push(with_noise(fields, choices));
    }
    let status = choices.of(&["finished", "success", "found", "notFound", "Insufficient Credits"]);
    wrapped(json!({"trackingId": "t1", "status": status, "people": entries}), choices)
}

/// The numbers at one source, among others that have none.
fn by_source(person: &Paid, choices: &mut Choices<'_>) -> Value {
    let mut sources = Map::new();
    for name in ["SignalHire", "Clodura", "Wiza"] {
        let status = choices.of(&["notFound", "Insufficient Credits", "error", "inProgress"]);
        let said = if choices.yes() { json!({ "status": status }) } else { json!(status) };
        sources.insert(name.to_owned(), said);
    }
    let kind = choices.of(&["mobile", "work", "directDial", "phones"]);
    let mut found = Map::new();
    found.insert(kind.to_owned(), person.written.clone());
    if choices.yes() {
        found.insert("status".to_owned(), json!("found"));
    }
    sources.insert(choices.of(&["Findymail", "Wiza"]).to_owned(), Value::Object(found));
    Value::Object(sources)
}

fn wrapped(body: Value, choices: &mut Choices<'_>) -> Value {
    match choices.below(4) {
        0 => body,
        1 => json!({ "data": body }),
        2 => json!([body]),
        _ => json!({"data": [body]}),
    }
}
