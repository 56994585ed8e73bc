//! Every documented answer of Clodura, and the requests that lead to it.
#![allow(clippy::unwrap_used, clippy::panic)]

mod stub;

use std::time::Duration;

use jobs::outcome::{
    Balance, Finding, FreeRequestFailure, Refusal, RevealOutcome, RevealOutcome::Refused,
    TrackOutcome,
};
use jobs::{Credits, Identifier, IdentifierKind};
use serde_json::{Value, json};
use stub::{KEY, Stub, answer, discreet};

const WEBHOOK: &str = "https://me.example/webhooks/clodura/1/abc";
const ACCEPTED: &str = r#"{"trackingId": "688a0c47", "status": "Callback will be triggered once processing is complete."}"#;

fn person() -> Identifier {
    Identifier::parse(IdentifierKind::CloduraPersonId, "2751").unwrap()
}

async fn reveal(status: u16, headers: &[(&str, &str)], body: &str) -> RevealOutcome {
    let stub = Stub::start([answer(status, headers, body)]).await;
    discreet(stub.clodura().reveal(&person(), Some(WEBHOOK), true).await)
}

async fn asked(person: &Identifier, webhook: Option<&str>, partners: bool) -> Value {
    let stub = Stub::start([answer(200, &[], ACCEPTED)]).await;
    let _ = stub.clodura().reveal(person, webhook, partners).await;
    stub.only_request().json()
}

async fn track(status: u16, body: &str) -> Result<TrackOutcome, FreeRequestFailure> {
    let stub = Stub::start([answer(status, &[], body)]).await;
    discreet(stub.clodura().track("688a").await)
}

async fn balance(status: u16, body: &str) -> Result<Balance, FreeRequestFailure> {
    let stub = Stub::start([answer(status, &[("Retry-After", "3")], body)]).await;
    discreet(stub.clodura().balance().await)
}

#[tokio::test]
async fn asks_as_documented() {
    let stub = Stub::start([answer(200, &[], ACCEPTED)]).await;
    let outcome = stub.clodura().reveal(&person(), Some(WEBHOOK), true).await;
    assert_eq!(outcome, RevealOutcome::Accepted { tracking_id: Some("688a0c47".to_owned()) });
    let request = stub.only_request();
    assert_eq!(request.line, "POST /api/v1/search/people/phone/match HTTP/1.1");
    assert_eq!(request.header("x-api-key"), Some(KEY));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(
        request.json(),
        json!({"personId": "2751", "revealPhoneNumberViaPartners": true, "webhookUrl": WEBHOOK})
    );
}

#[tokio::test]
async fn asks_by_address_and_without_partners() {
    let address = "https://www.linkedin.com/in/brad-dickey-72b846a";
    let person = Identifier::parse(IdentifierKind::LinkedinUrl, address).unwrap();
    assert_eq!(
        asked(&person, Some(WEBHOOK), false).await,
        json!({"linkedinUrl": address, "revealPhoneNumberViaPartners": false, "webhookUrl": WEBHOOK})
    );
}

#[tokio::test]
async fn partners_need_a_webhook() {
    assert_eq!(
        asked(&person(), None, true).await,
        json!({"personId": "2751", "revealPhoneNumberViaPartners": false})
    );
}

#[tokio::test]
async fn no_person_is_asked_for_by_anothers_id() {
    let stub = Stub::start([answer(200, &[], ACCEPTED)]).await;
    let person = Identifier::parse(IdentifierKind::OceanPersonId, "p1").unwrap();
    let outcome = stub.clodura().reveal(&person, None, false).await;
    assert!(matches!(outcome, Refused(Refusal::BadRequest { .. })));
    assert!(stub.requests().is_empty());
}

#[tokio::test]
async fn is_accepted_whatever_can_be_read() {
    let accepted =
        |id: Option<&str>| RevealOutcome::Accepted { tracking_id: id.map(str::to_owned) };
    assert_eq!(reveal(200, &[], r#"{"trackingId": 688}"#).await, accepted(Some("688")));
    assert_eq!(reveal(202, &[], ACCEPTED).await, accepted(Some("688a0c47")));
    for body in ["", "{}", r#"{"trackingId": ""}"#, r#"{"trackingId": null}"#] {
        assert_eq!(reveal(200, &[], body).await, accepted(None), "{body}");
    }
    for body in ["not JSON", "[]", "<html>", r#"{"message": "Internal error"}"#] {
        let outcome = reveal(200, &[], body).await;
        assert!(matches!(outcome, RevealOutcome::Undocumented { .. }), "{body}: {outcome:?}");
    }
}

#[tokio::test]
async fn refusals() {
    let message = "HTTP 0: no".to_owned();
    for (status, expected) in [
        (400, Refusal::BadRequest { message: message.clone() }),
        (401, Refusal::Misconfigured { message: message.clone() }),
        (402, Refusal::CreditsInsufficient),
        (403, Refusal::Misconfigured { message: message.clone() }),
        (405, Refusal::BadRequest { message: message.clone() }),
        (422, Refusal::BadRequest { message: message.clone() }),
        (429, Refusal::RateLimited { retry_after: Some(Duration::from_secs(9)) }),
    ] {
        let outcome = reveal(status, &[("Retry-After", "9")], r#"{"message": "no"}"#).await;
        let shown = format!("{outcome:?}").replace(&format!("HTTP {status}"), "HTTP 0");
        assert_eq!(shown, format!("{:?}", Refused(expected)), "{status}");
    }
    assert_eq!(reveal(429, &[], "").await, Refused(Refusal::RateLimited { retry_after: None }));
    assert_eq!(reveal(404, &[], "").await, RevealOutcome::NotFound);
}

#[tokio::test]
async fn a_403_is_about_the_person_or_about_the_plan() {
    for text in [
        "personId or linkedinUrl must be given",
        "webhookUrl is required for this plan",
        "the request is missing required details",
        "Required details: none",
    ] {
        let outcome = reveal(403, &[], &json!({ "message": text }).to_string()).await;
        assert!(matches!(outcome, Refused(Refusal::BadRequest { .. })), "{text}: {outcome:?}");
    }
    for text in [
        "",
        "Forbidden",
        "this endpoint requires a paid Clodura plan",
        "API key missing",
        "this endpoint requires a paid Clodura plan, or the request is missing required details",
    ] {
        let outcome = reveal(403, &[], &json!({ "message": text }).to_string()).await;
        assert!(matches!(outcome, Refused(Refusal::Misconfigured { .. })), "{text}: {outcome:?}");
    }
}

#[tokio::test]
async fn tracks_as_documented() {
    let stub = Stub::start([answer(200, &[], "{}")]).await;
    let _ = stub.clodura().track("a/../b c?d=1#ü").await;
    let request = stub.only_request();
    assert_eq!(
        request.line,
        "GET /api/v1/search/people/track/a%2F..%2Fb%20c%3Fd=1%23%C3%BC HTTP/1.1"
    );
    assert_eq!(request.header("x-api-key"), Some(KEY));
}

#[tokio::test]
async fn an_id_that_no_path_can_carry_is_not_asked_for() {
    let stub = Stub::start([answer(200, &[], "{}")]).await;
    for id in ["", ".", "..", "a\nb"] {
        assert_eq!(stub.clodura().track(id).await, Ok(TrackOutcome::NothingThere), "{id:?}");
    }
    assert!(stub.requests().is_empty());
}

#[tokio::test]
async fn a_tracked_result() {
    let standard = json!({"personId": "2751", "phoneNumbers": [
        {"raw_number": "+11099773515", "type": "mobile", "source": "partner"}]});
    let Ok(TrackOutcome::Finished(result)) = track(200, &standard.to_string()).await else {
        panic!("not finished")
    };
    let Finding::Found { credits, .. } = result.finding else { panic!("nothing found") };
    assert_eq!(credits, Some(Credits::whole(1)));

    let multi = |status: &str, sources: Value| {
        let people = json!([{"personId": 3602, "phoneNumbers": sources}]);
        json!({"trackingId": "69c2", "status": status, "people": people}).to_string()
    };
    let finding = async |body: String| match track(200, &body).await {
        Ok(TrackOutcome::Finished(result)) => Some(result.finding),
        Ok(TrackOutcome::Running) => None,
        other => panic!("{other:?}"),
    };
    let found = json!({"A": {"status": "found", "mobile": ["+1439-570-0805"]}});
    let nothing = json!({"A": {"status": "notFound"}});
    let out = json!({"A": {"status": "Insufficient Credits"}});
    let running = json!({"A": {"status": "notFound"}, "B": {"status": "pending"}});
    assert!(matches!(finding(multi("success", found.clone())).await, Some(Finding::Found { .. })));
    assert!(matches!(finding(multi("processing", found)).await, Some(Finding::Found { .. })));
    assert_eq!(finding(multi("success", nothing.clone())).await, Some(Finding::NotFound));
    // Sources that were not asked yet may not be listed yet.
    assert_eq!(finding(multi("processing", nothing)).await, None);
    assert_eq!(finding(multi("success", out)).await, Some(Finding::OutOfCredits));
    assert_eq!(finding(multi("success", running)).await, None);
}

#[tokio::test]
async fn still_running() {
    for body in [
        ACCEPTED,
        "{}",
        "[]",
        "null",
        "not JSON",
        "",
        r#"{"status": "processing", "people": []}"#,
        r#"{"status": "processing", "people": null}"#,
        r#"{"status": "processing", "personId": "1"}"#,
    ] {
        assert_eq!(track(200, body).await, Ok(TrackOutcome::Running), "{body}");
    }
}

#[tokio::test]
async fn nothing_to_track() {
    for status in [400, 404, 410, 422] {
        assert_eq!(track(status, "{}").await, Ok(TrackOutcome::NothingThere), "{status}");
    }
    for status in [302, 401, 403] {
        let result = track(status, "").await;
        assert!(matches!(result, Err(FreeRequestFailure::Misconfigured { .. })), "{status}");
    }
    for status in [402, 408, 500, 503] {
        let result = track(status, "").await;
        assert!(matches!(result, Err(FreeRequestFailure::Unavailable { .. })), "{status}");
    }
    assert_eq!(track(429, "").await, Err(FreeRequestFailure::RateLimited { retry_after: None }));
}

#[tokio::test]
async fn the_balance_of_a_prospect_plan() {
    let body = json!({
        "contactsView": 142, "maxContacts": "1000", "directDials": 38, "maxDirectDials": "200",
    });
    let stub = Stub::start([answer(200, &[], &body.to_string())]).await;
    let expected = Balance {
        credits: Credits::whole(162),
        tariff: Some(jobs::Tariff::DirectDials),
        daily: None,
    };
    assert_eq!(stub.clodura().balance().await, Ok(expected));
    let request = stub.only_request();
    assert_eq!(request.line, "GET /api/v1/credits HTTP/1.1");
    assert_eq!(request.header("x-api-key"), Some(KEY));
}

#[tokio::test]
async fn the_balance_of_other_plans() {
    let of = |credits: &str| {
        let credits = credits.parse().expect("a number of credits");
        Ok(Balance { credits, tariff: Some(jobs::Tariff::Credits), daily: None })
    };
    assert_eq!(balance(200, r#"{"remainingCredits": 120}"#).await, of("120"));
    assert_eq!(balance(200, r#"{"remainingCredits": "120.9"}"#).await, of("120.9"));
    // A negative number means that no balance was set, not that the account is empty.
    let negative = [r#"{"remainingCredits": -1}"#, r#"{"directDials": 3, "maxDirectDials": -1}"#];
    for body in negative {
        let result = balance(200, body).await;
        assert!(matches!(result, Err(FreeRequestFailure::Unavailable { .. })), "{body}");
    }
    for (status, body) in [(200, "{}"), (200, "no"), (404, ""), (500, "")] {
        let result = balance(status, body).await;
        assert!(matches!(result, Err(FreeRequestFailure::Unavailable { .. })), "{status} {body}");
    }
    let result = balance(401, "").await;
    assert!(matches!(result, Err(FreeRequestFailure::Misconfigured { .. })));
    let retry_after = Some(Duration::from_secs(3));
    assert_eq!(balance(429, "").await, Err(FreeRequestFailure::RateLimited { retry_after }));
}
