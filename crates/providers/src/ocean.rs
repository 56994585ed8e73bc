use std::collections::BTreeSet;
use std::time::Duration;

use jobs::outcome::{
    BadPerson, Balance, DailyQuota, Finding, FreeRequestFailure, LookupOutcome, PersonResult,
    Refusal, RevealOutcome,
};
use jobs::{Credits, OceanPlan, Tariff, json};
use reqwest::header::HeaderName;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use crate::entries::{self, Malformed, Reading, Shape, Word};
use crate::http::{Account, Answer, InvalidAccount};
use crate::meaning;
use crate::numbers::Numbers;
use crate::profiles;

/// The default address of Ocean.
pub const BASE_URL: &str = "https://api.ocean.io";

const TOKEN: HeaderName = HeaderName::from_static("x-api-token");

/// A client of [Ocean.io](https://docs.ocean.io)'s phone reveal.
///
/// Every request, the balance too, is one action against the account's daily limit.
#[derive(Debug, Clone)]
pub struct Client {
    account: Account,
    plan: OceanPlan,
}

impl Client {
    /// A client for the account that `token` belongs to.
    ///
    /// # Errors
    /// A token that no header can carry, or a base that is no HTTP address.
    pub fn new(
        base_url: Url,
        token: SecretString,
        http: reqwest::Client,
    ) -> Result<Self, InvalidAccount> {
        let account = Account::new(http, base_url, TOKEN, token)?;
        Ok(Client { account, plan: OceanPlan::Auto })
    }

    /// Returns the client with the account's plan set.
    #[must_use]
    pub fn with_plan(self, plan: OceanPlan) -> Self {
        Client { plan, ..self }
    }

    /// Orders the phones of 1 to 500 people: `POST /v2/reveal/phones`. Every verified phone found is
    /// charged; one webhook to `webhook_url` brings all results once all are done.
    pub async fn reveal(&self, person_ids: &[&str], webhook_url: &str) -> RevealOutcome {
        let order = Order { person_ids, webhook_url };
        let exchange = self.account.post(&["v2", "reveal", "phones"], &order).await;
        match meaning::of_order(exchange) {
            Ok(answer) if answer.is_success() && answer.is_documented(&["status"]) => {
                RevealOutcome::Accepted { tracking_id: None }
            }
            Ok(answer) if answer.is_success() => {
                RevealOutcome::Undocumented { tracking_id: None, why: answer.words() }
            }
            Ok(answer) => RevealOutcome::Refused(refusal(&answer, person_ids.len())),
            Err(outcome) => outcome,
        }
    }

    /// Asks which people have these LinkedIn handles, 1 to 1,000 of them: `POST /v2/lookup/people`. The answer comes at
    /// once; each match is charged.
    pub async fn look_up(&self, handles: &[String]) -> LookupOutcome {
        let question = Question { linkedin_handles: handles, ocean_ids: [] };
        let exchange = self.account.post_for_profiles(&["v2", "lookup", "people"], &question).await;
        match meaning::of_order(exchange) {
            Ok(answer) if answer.is_success() => {
                let json = answer.json();
                match json.and_then(|json| profiles::matches(&json, handles)) {
                    Some(matches) => LookupOutcome::Answered(matches),
                    // Not quoted: it may name people.
                    None => LookupOutcome::Unknown {
                        why: format!("HTTP {}: no list of people can be read", answer.status),
                    },
                }
            }
            Ok(answer) => LookupOutcome::Refused(refusal(&answer, handles.len())),
            Err(RevealOutcome::Refused(refusal)) => LookupOutcome::Refused(refusal),
            Err(RevealOutcome::NotSent) => LookupOutcome::NotSent,
            Err(RevealOutcome::Unknown { why } | RevealOutcome::Undocumented { why, .. }) => {
                LookupOutcome::Unknown { why }
            }
            Err(RevealOutcome::Accepted { .. } | RevealOutcome::NotFound) => {
                LookupOutcome::Unknown { why: "an answer to another question".to_owned() }
            }
        }
    }

    /// Asks for the credits left to pay for phones, and for the requests left today: `GET /v2/credits/balance`.
    ///
    /// # Errors
    /// No balance came; see [`FreeRequestFailure`].
    pub async fn balance(&self) -> Result<Balance, FreeRequestFailure> {
        let exchange = self.account.get(&["v2", "credits", "balance"], None).await;
        let answer = meaning::of_free_request(exchange)?;
        let message = answer.words();
        if answer.status == 400 && is_token_conflict(&answer) {
            return Err(FreeRequestFailure::Misconfigured { message });
        }
        let body = answer.body().filter(|_| answer.is_success());
        let balance = body.and_then(|body| read_balance(body, self.plan));
        balance.ok_or(FreeRequestFailure::Unavailable { message })
    }
}

fn refusal(answer: &Answer, people: usize) -> Refusal {
    let message = answer.words();
    match answer.status {
        400 if is_token_conflict(answer) => Refusal::Misconfigured { message },
        402 if is_pending(answer) => Refusal::CreditsPending,
        402 => Refusal::CreditsInsufficient,
        403 => Refusal::Misconfigured { message },
        422 => match bad_people(answer, people) {
            bad if bad.is_empty() => Refusal::BadRequest { message },
            bad => Refusal::BadPeople(bad),
        },
        _ => Refusal::BadRequest { message },
    }
}

/// Returns the people that a 422 names by their place, as in `["body", "personIds", 3]`. Places that were not in the
/// request say nothing and are left out.
fn bad_people(answer: &Answer, people: usize) -> Vec<BadPerson> {
    let Some(ValidationError { detail }) = answer.json() else { return Vec::new() };
    let mut bad: Vec<BadPerson> = Vec::new();
    for error in detail.iter().filter_map(|entry| Invalid::deserialize(entry).ok()) {
        let Some(index) = error.place().filter(|index| *index < people) else { continue };
        if bad.iter().all(|person| person.index != index) {
            bad.push(BadPerson { index, message: answer.fit(&error.msg) });
        }
    }
    bad
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Order<'a> {
    person_ids: &'a [&'a str],
    webhook_url: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Question<'a> {
    linkedin_handles: &'a [String],
    ocean_ids: [&'a str; 0],
}

/// A 422's body. An entry of another form must not hide the others, so each is read by itself.
#[derive(Deserialize)]
struct ValidationError {
    detail: Vec<Value>,
}

#[derive(Deserialize)]
struct Invalid {
    loc: Vec<Value>,
    #[serde(default)]
    msg: String,
}

impl Invalid {
    fn place(&self) -> Option<usize> {
        let list =
            self.loc.iter().position(|part| part == "personIds" || part == "linkedinHandles")?;
        meaning::number(self.loc.get(list + 1)).and_then(|place| usize::try_from(place).ok())
    }
}

/// "Conflicting API tokens provided in query parameters and headers".
fn is_token_conflict(answer: &Answer) -> bool {
    answer.lower_case_text().contains("conflicting api token")
}

/// Whether time ends a 402. It does for both documented texts, "… because of pending phone verifications" and "Some
/// phone verifications are already in progress …", and for others that say so of verifications. Anything else that is
/// pending or in progress (a payment, a review) frees no credits by itself.
fn is_pending(answer: &Answer) -> bool {
    let text = answer.lower_case_text();
    text.contains("verification") && (text.contains("pending") || text.contains("in progress"))
}

/// Reads a balance. Absent fields count as 0, but an answer without any of the fields is not a balance.
#[must_use]
pub fn read_balance(body: &[u8], plan: OceanPlan) -> Option<Balance> {
    let json = json::read(body).ok()?;
    let known = ["phoneCredits", "credits", "emailCredits", "dailyLimitRateLeft"];
    if !known.iter().any(|name| json.get(name).is_some()) {
        return None;
    }
    let (tariff, credits) = pool(plan, in_pool(&json, "phoneCredits"), in_pool(&json, "credits"));
    let left = meaning::number(json.get("dailyLimitRateLeft"));
    let resets_in = meaning::number(json.get("dailyLimitRateSecondsToReset"));
    let daily = left.zip(resets_in).map(|(left, seconds)| DailyQuota {
        left,
        resets_in: Duration::from_secs(u64::try_from(seconds).unwrap_or(0)),
    });
    Some(Balance { credits: credits.max(Credits::ZERO), tariff, daily })
}

fn in_pool(json: &Value, name: &str) -> Credits {
    let pool = json.get(name);
    let kind = |name| meaning::credits(pool.and_then(|kinds| kinds.get(name))).unwrap_or_default();
    kind("oneTime") + kind("recurrent")
}

/// Returns the plan, and the credits in the pool that pays. Only legacy plans have phone credits; without them, the
/// pool of credits pays. Two empty pools show nothing.
fn pool(plan: OceanPlan, phone: Credits, all: Credits) -> (Option<Tariff>, Credits) {
    let shown = match (phone.is_positive(), all.is_positive()) {
        (true, _) => Some(Tariff::Legacy),
        (false, true) => Some(Tariff::Unified),
        (false, false) => None,
    };
    match plan.tariff().or(shown) {
        Some(Tariff::Unified) => (Some(Tariff::Unified), all),
        tariff => (tariff, phone),
    }
}

/// The credits that the request was charged, if the body states them.
fn credits_used(body: &Map<String, Value>) -> Option<Credits> {
    meaning::credits(body.get("creditsUsed")).filter(|used| *used >= Credits::ZERO)
}

/// Both published bodies: `{"phones": [{"personId", "status", "numbers"}]}`, and
/// `{"results": [{"personId", "phone": {"status", "numbers"}}]}`.
pub(crate) const SHAPE: Shape =
    Shape { lists: &["phones", "results"], fields: &["status", "numbers", "phone"] };

/// Fields of an entry that are read as published, or say nothing of a number.
const FIELDS: [&str; 8] =
    ["personId", "status", "numbers", "phone", "firstName", "lastName", "name", "linkedin"];

/// Reads a webhook.
pub(crate) fn read(json: &Value) -> Result<Reading, Malformed> {
    let entries = entries::entries(&SHAPE, json)?;
    let mut reading = Reading { passed_over: entries.passed_over, ..Reading::default() };
    reading.credits_used = entries::unwrapped(json, &SHAPE, 2).into_iter().find_map(credits_used);
    for entry in entries.found {
        reading.results.push(result(entry.fields, &mut reading.odd_fields));
    }
    Ok(reading)
}

/// Reads one person's entry.
fn result(entry: &Map<String, Value>, odd_fields: &mut BTreeSet<String>) -> PersonResult {
    let inner = entry.get("phone").and_then(Value::as_object);
    let status = entry.get("status").filter(|status| !status.is_null());
    let word = Word::of(status.or_else(|| inner.and_then(|phone| phone.get("status"))));
    let mut numbers = Numbers::default();
    for value in ["numbers", "phone"].iter().filter_map(|name| entry.get(*name)) {
        numbers.add(value, None);
    }
    if word == Word::Found && numbers.is_empty() {
        numbers.add_elsewhere(entry, &FIELDS);
    }
    let finding = match word {
        Word::NotFound => Finding::NotFound,
        Word::Found | Word::Absent if !numbers.is_empty() => {
            let (phones, mut odd) = numbers.into_parts();
            odd_fields.append(&mut odd);
            Finding::Found { credits: None, phones }
        }
        Word::Found => Finding::Unreadable,
        Word::Absent if numbers.none_is_readable() => Finding::Unreadable,
        // An unknown word says nothing about the numbers: they may have been paid for.
        Word::Other if !numbers.is_empty() => Finding::Unreadable,
        _ => Finding::InProgress,
    };
    PersonResult { person_id: entries::person_id(entry), finding, remark: None }
}
