use std::collections::BTreeSet;

use jobs::outcome::{
    Balance, Finding, FreeRequestFailure, PersonResult, Refusal, RevealOutcome, TrackOutcome,
};
use jobs::price::DIRECT_DIAL;
use jobs::words::{Known, masked};
use jobs::{Credits, Identifier, IdentifierKind, Tariff, json};
use reqwest::header::HeaderName;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use crate::entries::{self, Malformed, Reading, Shape, Word};
use crate::http::{Account, Answer, InvalidAccount};
use crate::meaning;
use crate::numbers::{Numbers, may_be_type};

/// The default address of Clodura.
pub const BASE_URL: &str = "https://api.clodura.ai";

const KEY: HeaderName = HeaderName::from_static("x-api-key");

/// A longer text is not a tracking id: Clodura's have 24 characters.
const LONGEST_TRACKING_ID: usize = 200;

/// The path under which people are asked for and tracked.
const PEOPLE: [&str; 4] = ["api", "v1", "search", "people"];

/// A client of [Clodura](https://testdocs.clodura.com)'s phone reveal.
#[derive(Debug, Clone)]
pub struct Client(Account);

impl Client {
    /// A client for the account that `key` belongs to.
    ///
    /// # Errors
    /// A key that no header can carry, or a base that is no HTTP address.
    pub fn new(
        base_url: Url,
        key: SecretString,
        http: reqwest::Client,
    ) -> Result<Self, InvalidAccount> {
        Account::new(http, base_url, KEY, key).map(Client)
    }

    /// Orders one person's phones: `POST /api/v1/search/people/phone/match`. Without a webhook
    /// the result is polled with [`Client::track`], and partners can't be asked: `via_partners`
    /// needs `webhook`, the address to which the result is sent.
    pub async fn reveal(
        &self,
        person: &Identifier,
        webhook: Option<&str>,
        via_partners: bool,
    ) -> RevealOutcome {
        let Some(order) = Order::new(person, webhook, via_partners) else {
            let message = format!("Clodura can't be asked by {}", person.kind());
            return RevealOutcome::Refused(Refusal::BadRequest { message });
        };
        let path = [&PEOPLE[..], &["phone", "match"]].concat();
        match meaning::of_order(self.0.post(&path, &order).await) {
            Ok(answer) if answer.is_success() => {
                let tracking_id = tracking_id(&answer);
                match answer.is_documented(&["trackingId", "status"]) {
                    true => RevealOutcome::Accepted { tracking_id },
                    false => RevealOutcome::Undocumented { tracking_id, why: answer.words() },
                }
            }
            Ok(answer) => refusal(&answer),
            Err(outcome) => outcome,
        }
    }

    /// Asks for the result of an order whose webhook did not come:
    /// `GET /api/v1/search/people/track/{trackingId}`.
    ///
    /// # Errors
    /// No answer about this order came; see [`FreeRequestFailure`].
    pub async fn track(&self, tracking_id: &str) -> Result<TrackOutcome, FreeRequestFailure> {
        // A path can't carry such an id, and Clodura has given out none.
        if matches!(tracking_id, "" | "." | "..") || tracking_id.contains(char::is_control) {
            return Ok(TrackOutcome::NothingThere);
        }
        let path = [&PEOPLE[..], &["track", tracking_id]].concat();
        let answer = meaning::of_free_request(self.0.get(&path, Some(tracking_id)).await)?;
        match answer.status {
            200..=299 if let Some(body) = answer.body() => Ok(read_track(body)),
            // Clodura knows no such order. The id is at fault, never the provider as a whole.
            400 | 404 | 410 | 422 => Ok(TrackOutcome::NothingThere),
            _ => Err(FreeRequestFailure::Unavailable { message: answer.words() }),
        }
    }

    /// Asks for the credits that are left: `GET /api/v1/credits`.
    ///
    /// # Errors
    /// No balance came; see [`FreeRequestFailure`].
    pub async fn balance(&self) -> Result<Balance, FreeRequestFailure> {
        let exchange = self.0.get(&["api", "v1", "credits"], None).await;
        let answer = meaning::of_free_request(exchange)?;
        let balance = answer.body().filter(|_| answer.is_success()).and_then(read_balance);
        balance.ok_or_else(|| FreeRequestFailure::Unavailable { message: answer.words() })
    }
}

fn refusal(answer: &Answer) -> RevealOutcome {
    let message = answer.words();
    RevealOutcome::Refused(match answer.status {
        402 => Refusal::CreditsInsufficient,
        403 if names_missing_field(answer) => Refusal::BadRequest { message },
        403 => Refusal::Misconfigured { message },
        404 => return RevealOutcome::NotFound,
        _ => Refusal::BadRequest { message },
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Order<'a> {
    #[serde(flatten)]
    person: Person<'a>,
    reveal_phone_number_via_partners: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_url: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Person<'a> {
    PersonId(&'a str),
    LinkedinUrl(String),
}

impl<'a> Order<'a> {
    fn new(person: &'a Identifier, webhook: Option<&'a str>, partners: bool) -> Option<Self> {
        let person = match person.kind() {
            IdentifierKind::CloduraPersonId => Person::PersonId(person.value()),
            IdentifierKind::LinkedinUrl => Person::LinkedinUrl(person.linkedin_url()?),
            IdentifierKind::OceanPersonId => return None,
        };
        let reveal_phone_number_via_partners = partners && webhook.is_some();
        Some(Order { person, reveal_phone_number_via_partners, webhook_url: webhook })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Accepted {
    tracking_id: Value,
}

/// Returns the tracking id. An order without one is still accepted: its webhook may come.
fn tracking_id(answer: &Answer) -> Option<String> {
    let Accepted { tracking_id } = answer.json()?;
    entries::id(&tracking_id).filter(|id| id.len() <= LONGEST_TRACKING_ID)
}

/// Whether a 403 is about the request. A 403 means either a plan without this endpoint (no person can be asked for) or
/// "the request is missing required details" (this person can't be). A field's name shows the latter. Without one, the
/// text must speak of missing details, and of neither plan nor key.
fn names_missing_field(answer: &Answer) -> bool {
    let text = answer.lower_case_text();
    let any = |words: &[&str]| words.iter().any(|word| text.contains(word));
    any(&["personid", "linkedinurl", "webhookurl", "person_id", "linkedin_url", "webhook_url"])
        || any(&["missing", "required details"])
            && !any(&["plan", "upgrade", "subscription", "api key", "api-key", "apikey", "token"])
}

/// Reads a balance. Prospect plans count direct dials, the other plans have one kind of credit. A negative number is no
/// balance: it means that none was set.
#[must_use]
pub fn read_balance(body: &[u8]) -> Option<Balance> {
    let json = json::read(body).ok()?;
    let field = |name| meaning::credits(json.get(name)).filter(|credits| *credits >= Credits::ZERO);
    let (credits, tariff) = match field("maxDirectDials") {
        Some(most) => (most - field("directDials").unwrap_or_default(), Tariff::DirectDials),
        None => (field("remainingCredits")?, Tariff::Credits),
    };
    Some(Balance { credits: credits.max(Credits::ZERO), tariff: Some(tariff), daily: None })
}

/// Reads the answer to a poll. Its form is not published: a finished order is assumed to have either webhook's shape,
/// and any other body means that the order still runs. Of several entries, one with a number wins, then one that is
/// still open.
#[must_use]
pub fn read_track(body: &[u8]) -> TrackOutcome {
    let reading = json::read(body).ok().and_then(|json| read(&json).ok());
    let results = reading.unwrap_or_default().results;
    let result = results.into_iter().min_by_key(|result| match result.finding {
        Finding::Found { .. } => 0,
        Finding::Unreadable => 1,
        Finding::InProgress => 2,
        Finding::OutOfCredits => 3,
        Finding::NotFound => 4,
    });
    match result {
        None | Some(PersonResult { finding: Finding::InProgress, .. }) => TrackOutcome::Running,
        Some(result) => TrackOutcome::Finished(result),
    }
}

/// A webhook, or a poll's answer, in either of the published shapes: one person (`personId`, `phoneNumbers` as a
/// list), or `people` with `phoneNumbers` by source.
pub(crate) const SHAPE: Shape = Shape { lists: &["people"], fields: &["personId", "phoneNumbers"] };

/// Reads a webhook, or the answer to a poll.
pub(crate) fn read(json: &Value) -> Result<Reading, Malformed> {
    let entries = entries::entries(&SHAPE, json)?;
    let mut reading = Reading { passed_over: entries.passed_over, ..Reading::default() };
    for entry in entries.found {
        reading.results.push(result(entry.fields, entry.overall, &mut reading.odd_fields));
    }
    Ok(reading)
}

/// Reads one person's entry.
fn result(
    person: &Map<String, Value>,
    overall: Word,
    odd_fields: &mut BTreeSet<String>,
) -> PersonResult {
    let own = Word::of(person.get("status"));
    let overall = if overall == Word::Absent { own } else { overall };
    let mut numbers = Numbers::default();
    let mut sources = Vec::new();
    let by_source = person.get("phoneNumbers").and_then(Value::as_object);
    match person.get("phoneNumbers") {
        Some(Value::Object(fields)) => {
            sources
                .extend(fields.iter().map(|(name, value)| Source::read(name, value, &mut numbers)));
        }
        Some(list) => numbers.add(list, None),
        None => {}
    }
    let says = |word| sources.iter().any(|source| source.word == word);
    let said_found = numbers.none_is_readable() || sources.iter().any(Source::is_unreadable);
    let finding = if !numbers.is_empty() {
        let (phones, mut odd) = numbers.into_parts();
        odd_fields.append(&mut odd);
        // A find costs one phone credit on Prospect plans. By source it costs 10 to 20, which the answer doesn't state.
        Finding::Found { phones, credits: by_source.is_none().then_some(DIRECT_DIAL) }
    } else if matches!(overall, Word::Pending | Word::Other) {
        Finding::InProgress
    } else if said_found || overall == Word::Found {
        Finding::Unreadable
    } else if says(Word::OutOfCredits) || overall == Word::OutOfCredits {
        Finding::OutOfCredits
    } else if says(Word::Pending) || says(Word::Other) && overall != Word::Finished {
        Finding::InProgress
    } else {
        Finding::NotFound
    };
    let person_id = entries::person_id(person);
    let known = Known::default().with(person_id.as_deref().unwrap_or_default());
    let remark = (finding == Finding::NotFound).then(|| remark(&sources, &known)).flatten();
    PersonResult { person_id, finding, remark }
}

/// The undocumented words of sources: `Wiza: error`.
fn remark(sources: &[Source], known: &Known) -> Option<String> {
    let odd = sources.iter().filter(|source| source.word == Word::Other);
    let said: Vec<String> = odd.map(|source| format!("{}: {}", source.name, source.said)).collect();
    (!said.is_empty()).then(|| masked(&said.join(", "), known))
}

/// One source's answer: a status, and numbers under one key for each type.
struct Source<'b> {
    name: &'b str,
    word: Word,
    said: &'b str,
    has_numbers: bool,
}

impl<'b> Source<'b> {
    fn read(name: &'b str, source: &'b Value, numbers: &mut Numbers) -> Self {
        let before = numbers.len();
        let Some(fields) = source.as_object() else {
            // A bare word is a status, as in `"Wiza": "notFound"`.
            let word = match source.as_str().map(|_| Word::of(Some(source))) {
                Some(word) if word != Word::Other => word,
                _ => {
                    numbers.add(source, None);
                    Word::Absent
                }
            };
            return Source { name, word, said: "", has_numbers: numbers.len() > before };
        };
        let status = fields.get("status");
        let word = Word::of(status);
        if matches!(word, Word::Found | Word::Absent) {
            for (name, value) in fields {
                // A bare number counts something: `"confidence": 12000`.
                if may_be_type(name) && !value.is_number() {
                    numbers.add(value, Some(name));
                }
            }
        }
        let said = status.and_then(Value::as_str).unwrap_or_default();
        Source { name, word, said, has_numbers: numbers.len() > before }
    }

    /// 'Found' without a number is not 'not found': it may have been paid for.
    fn is_unreadable(&self) -> bool {
        self.word == Word::Found && !self.has_numbers
    }
}
