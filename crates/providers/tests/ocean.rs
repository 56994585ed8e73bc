//! Every documented answer of Ocean, and the requests that lead to it.
#![allow(clippy::unwrap_used, clippy::panic)]

mod stub;

use std::time::Duration;

use jobs::outcome::{
    BadPerson, Balance, DailyQuota, FreeRequestFailure, LookupOutcome, Matches, Refusal,
    RevealOutcome, RevealOutcome::Refused,
};
use jobs::{Credits, OceanPlan, Tariff};
use serde_json::json;
use stub::{KEY, Stub, answer, discreet};

const WEBHOOK: &str = "https://me.example/webhooks/ocean/1/abc";

async fn reveal(status: u16, headers: &[(&str, &str)], body: &str) -> RevealOutcome {
    let stub = Stub::start([answer(status, headers, body)]).await;
    discreet(stub.ocean().reveal(&["p1", "p2", "p3", "p4"], WEBHOOK).await)
}

async fn balance(
    status: u16,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Balance, FreeRequestFailure> {
    let stub = Stub::start([answer(status, headers, body)]).await;
    discreet(stub.ocean().balance().await)
}

fn misconfigured(message: &str) -> RevealOutcome {
    Refused(Refusal::Misconfigured { message: message.to_owned() })
}

fn bad_request(message: &str) -> RevealOutcome {
    Refused(Refusal::BadRequest { message: message.to_owned() })
}

#[tokio::test]
async fn asks_as_documented() {
    let stub = Stub::start([answer(200, &[], r#"{"status": "in progress"}"#)]).await;
    let _ = stub.ocean().reveal(&["p1", "p2"], WEBHOOK).await;
    let request = stub.only_request();
    assert_eq!(request.line, "POST /v2/reveal/phones HTTP/1.1");
    assert_eq!(request.header("x-api-token"), Some(KEY));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(
        request.header("user-agent"),
        Some(concat!("reveal-queue/", env!("CARGO_PKG_VERSION")))
    );
    assert_eq!(request.json(), json!({"personIds": ["p1", "p2"], "webhookUrl": WEBHOOK}));
}

#[tokio::test]
async fn is_accepted() {
    let accepted = RevealOutcome::Accepted { tracking_id: None };
    assert_eq!(reveal(200, &[], r#"{"status": "in progress"}"#).await, accepted);
    assert_eq!(reveal(200, &[], r#"{"status": "webhook sent"}"#).await, accepted);
    assert_eq!(reveal(202, &[], r#"{"status": "queued"}"#).await, accepted);
    assert_eq!(reveal(202, &[], "{}").await, accepted);
    assert_eq!(reveal(200, &[], "").await, accepted, "it may have been cut off");
}

#[tokio::test]
async fn an_undocumented_2xx_is_distinguished() {
    for body in [
        "not JSON",
        "[]",
        "<html><body>We'll be back</body></html>",
        r#"{"detail": "Internal error"}"#,
        r#"{"status": "error"}"#,
        r#"{"status": "in progress", "error": "out of order"}"#,
    ] {
        let outcome = reveal(200, &[], body).await;
        let undocumented = matches!(&outcome, RevealOutcome::Undocumented { why, .. } if why.starts_with("HTTP 200"));
        assert!(undocumented, "{body}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_proxy_s_answer_is_not_the_provider_s() {
    let page = "\n<!DOCTYPE html><html><title>Just a moment...</title></html>";
    let json = r#"{"detail": "Current API token is not registered in our database"}"#;
    let unavailable =
        |outcome: &RevealOutcome| matches!(outcome, Refused(Refusal::Unavailable { .. }));
    for (status, headers, body) in [
        (403, &[][..], page),
        (403, &[("cf-mitigated", "challenge")][..], json),
        (404, &[][..], page),
        (503, &[][..], ""),
        (521, &[][..], page),
        (523, &[][..], ""),
        (525, &[][..], ""),
        (526, &[][..], ""),
    ] {
        let outcome = reveal(status, headers, body).await;
        assert!(unavailable(&outcome), "{status} {body}: {outcome:?}");
    }
    for status in [500, 502, 504, 520, 522, 524] {
        let outcome = reveal(status, &[], page).await;
        assert!(matches!(outcome, RevealOutcome::Unknown { .. }), "{status}: {outcome:?}");
    }
    let challenged = balance(403, &[("cf-mitigated", "challenge")], page).await;
    assert!(matches!(challenged, Err(FreeRequestFailure::Unavailable { .. })), "{challenged:?}");
}

#[tokio::test]
async fn an_order_that_is_too_late_does_not_leave() {
    let stub = Stub::start([answer(200, &[], r#"{"status": "in progress"}"#)]).await;
    let clock = jobs::Clock::manual(jobs::Timestamp(10_000));
    let deadline = |written_at| providers::body::Deadline {
        clock: clock.clone(),
        written_at: jobs::Timestamp(written_at),
        patience: Duration::from_secs(5),
    };
    let client = stub.ocean();
    let in_time = providers::body::by(deadline(5_000), client.reveal(&["p1"], WEBHOOK)).await;
    assert_eq!(in_time, RevealOutcome::Accepted { tracking_id: None });
    let late = providers::body::by(deadline(4_999), client.reveal(&["p2"], WEBHOOK)).await;
    assert_eq!(late, RevealOutcome::NotSent);
    assert_eq!(stub.only_request().json()["personIds"], json!(["p1"]));
}

#[tokio::test]
async fn conflicting_tokens() {
    let text = "Conflicting API tokens provided in query parameters and headers";
    let body = json!({ "detail": text }).to_string();
    let expected = format!("HTTP 400: {text}");
    assert_eq!(reveal(400, &[], &body).await, misconfigured(&expected));
    assert_eq!(
        balance(400, &[], &body).await,
        Err(FreeRequestFailure::Misconfigured { message: expected })
    );
    assert_eq!(reveal(400, &[], r#"{"detail": "bad"}"#).await, bad_request("HTTP 400: bad"));
}

#[tokio::test]
async fn credits_are_pending_or_insufficient() {
    for (detail, refusal) in [
        (
            "Credits might be insufficient because of pending phone verifications. Please try again later.",
            Refusal::CreditsPending,
        ),
        (
            "Some phone verifications are already in progress and might use all your remaining phone credits. Please try again later.",
            Refusal::CreditsPending,
        ),
        ("Insufficient phone credits", Refusal::CreditsInsufficient),
        ("Something new", Refusal::CreditsInsufficient),
        ("Monthly spending limit reached; a payment is pending", Refusal::CreditsInsufficient),
        ("An upgrade is in progress", Refusal::CreditsInsufficient),
    ] {
        let body = json!({ "detail": detail }).to_string();
        assert_eq!(reveal(402, &[], &body).await, Refused(refusal), "{detail}");
    }
    assert_eq!(reveal(402, &[], "").await, Refused(Refusal::CreditsInsufficient));
}

#[tokio::test]
async fn a_bad_token() {
    for detail in [
        "API token should be provided in headers or query parameters",
        "Current API token is not registered in our database",
    ] {
        let body = json!({ "detail": detail }).to_string();
        assert_eq!(reveal(403, &[], &body).await, misconfigured(&format!("HTTP 403: {detail}")));
    }
    assert_eq!(reveal(401, &[], "").await, misconfigured("HTTP 401"));
}

#[tokio::test]
async fn a_token_that_is_echoed_is_not_shown() {
    let body = json!({ "detail": format!("Token {KEY} (call 555 0100 22) is unknown") });
    let outcome = reveal(403, &[], &body.to_string()).await;
    assert_eq!(outcome, misconfigured("HTTP 403: Token [key] (call [number]) is unknown"));
}

#[tokio::test]
async fn nothing_found() {
    assert_eq!(reveal(404, &[], "").await, bad_request("HTTP 404"));
    assert_eq!(reveal(418, &[], "").await, bad_request("HTTP 418"));
}

#[tokio::test]
async fn a_422_names_people_by_their_place() {
    let body = json!({"detail": [
        {"loc": ["body", "personIds", 3], "msg": "value is not a valid id", "type": "value_error"},
        {"loc": ["body", "personIds", "1", "id"], "msg": "also bad", "type": "value_error"},
        {"loc": ["body", "personIds", 3], "msg": "said twice", "type": "value_error"},
        {"loc": ["body", "personIds", 4], "msg": "was not asked", "type": "value_error"},
        {"loc": ["body", "personIds", -1], "msg": "nowhere", "type": "value_error"},
        {"loc": ["body", "webhookUrl"], "msg": "bad", "type": "value_error"},
        {"loc": "body"}, 7, null,
    ]});
    let bad = |index, message: &str| BadPerson { index, message: message.to_owned() };
    assert_eq!(
        reveal(422, &[], &body.to_string()).await,
        Refused(Refusal::BadPeople(vec![bad(3, "value is not a valid id"), bad(1, "also bad")]))
    );
}

#[tokio::test]
async fn a_422_that_names_no_person() {
    for (body, message) in [
        (json!({"detail": [{"loc": ["body", "webhookUrl"], "msg": "bad"}]}), "HTTP 422: bad"),
        (json!({"detail": [{"loc": ["body", "personIds"], "msg": "bad"}]}), "HTTP 422: bad"),
        (json!({"detail": [{"loc": ["body", "personIds", 99], "msg": "bad"}]}), "HTTP 422: bad"),
        (json!({"detail": "bad"}), "HTTP 422: bad"),
        (json!([]), "HTTP 422"),
    ] {
        assert_eq!(reveal(422, &[], &body.to_string()).await, bad_request(message), "{body}");
    }
}

#[tokio::test]
async fn too_fast() {
    let limited = |seconds: Option<u64>| {
        Refused(Refusal::RateLimited { retry_after: seconds.map(Duration::from_secs) })
    };
    let after = |text| async move { reveal(429, &[("Retry-After", text)], "").await };
    assert_eq!(after("17").await, limited(Some(17)));
    assert_eq!(after("86400").await, limited(Some(86_400)));
    assert_eq!(after("0").await, limited(Some(0)));
    assert_eq!(after("99999999999999999999999").await, limited(Some(1 << 31)));
    let fraction =
        Refused(Refusal::RateLimited { retry_after: Some(Duration::from_millis(1_500)) });
    assert_eq!(after("1.5").await, fraction);
    for unreadable in ["", "-5", "1.2.3", ".", "soon", "Mon, 99 Jan 2035 00:00:00 GMT"] {
        assert_eq!(after(unreadable).await, limited(None), "{unreadable}");
    }
    assert_eq!(reveal(429, &[("X-RateLimit-Limit", "1000")], "").await, limited(None));
}

#[tokio::test]
async fn too_fast_until_a_date() {
    let date = ("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
    for (until, seconds) in [
        ("Sun, 06 Nov 1994 08:51:07 GMT", 90),
        ("Sunday, 06-Nov-94 08:51:07 GMT", 90),
        ("Sun Nov  6 08:51:07 1994", 90),
        ("Sun, 06 Nov 1994 08:49:00 GMT", 0),
        ("1000000000", 1_000_000_000 - 784_111_777),
    ] {
        let outcome = reveal(429, &[date, ("Retry-After", until)], "").await;
        let retry_after = Some(Duration::from_secs(seconds));
        assert_eq!(outcome, Refused(Refusal::RateLimited { retry_after }), "{until}");
    }
    // Without a date of its own the answer is read by this machine's clock.
    let passed = reveal(429, &[("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT")], "").await;
    assert_eq!(passed, Refused(Refusal::RateLimited { retry_after: Some(Duration::ZERO) }));
}

#[tokio::test]
async fn the_balance() {
    let body = json!({
        "credits": {"oneTime": 0, "recurrent": 0}, "emailCredits": {"oneTime": 0, "recurrent": 0},
        "phoneCredits": {"oneTime": 100, "recurrent": 900},
        "dailyLimitRateLeft": 990, "dailyLimitRateSecondsToReset": 3600,
    });
    let stub = Stub::start([answer(200, &[], &body.to_string())]).await;
    let daily = Some(DailyQuota { left: 990, resets_in: Duration::from_secs(3600) });
    assert_eq!(
        stub.ocean().balance().await,
        Ok(Balance { credits: Credits::whole(1000), tariff: Some(Tariff::Legacy), daily })
    );
    let request = stub.only_request();
    assert_eq!(request.line, "GET /v2/credits/balance HTTP/1.1");
    assert_eq!(request.header("x-api-token"), Some(KEY));
    assert!(!request.has_body());
}

#[tokio::test]
async fn a_balance_with_fields_missing() {
    use Tariff::{Legacy, Unified};
    let of = |credits: &str, tariff| {
        Ok(Balance { credits: credits.parse().unwrap(), tariff, daily: None })
    };
    for (body, credits, tariff) in [
        (r#"{"phoneCredits": {"recurrent": 7}}"#, "7", Some(Legacy)),
        (r#"{"phoneCredits": {"oneTime": "7"}}"#, "7", Some(Legacy)),
        (r#"{"credits": {"oneTime": 5}}"#, "5", Some(Unified)),
        (r#"{"credits": {"recurrent": 4368.8}, "phoneCredits": null}"#, "4368.8", Some(Unified)),
        (r#"{"credits": {"recurrent": 9}, "phoneCredits": {"oneTime": 0}}"#, "9", Some(Unified)),
        (r#"{"credits": {"recurrent": 9}, "phoneCredits": {"oneTime": 2}}"#, "2", Some(Legacy)),
        (r#"{"credits": {"recurrent": 0}, "phoneCredits": {"oneTime": 0}}"#, "0", None),
    ] {
        assert_eq!(balance(200, &[], body).await, of(credits, tariff), "{body}");
    }
    for no_balance in ["{}", "[]", "null", "<html>", ""] {
        let result = balance(200, &[], no_balance).await;
        assert!(matches!(result, Err(FreeRequestFailure::Unavailable { .. })), "{no_balance}");
    }
}

#[tokio::test]
async fn a_plan_that_is_set_decides_which_pool_pays() {
    let body = r#"{"credits": {"recurrent": 90}, "phoneCredits": {"oneTime": 2}}"#;
    for (plan, credits, tariff) in
        [(OceanPlan::Legacy, 2, Tariff::Legacy), (OceanPlan::Unified, 90, Tariff::Unified)]
    {
        let stub = Stub::start([answer(200, &[], body)]).await;
        let balance = stub.ocean().with_plan(plan).balance().await;
        let credits = Credits::whole(credits);
        assert_eq!(balance, Ok(Balance { credits, tariff: Some(tariff), daily: None }));
    }
}

#[tokio::test]
async fn no_balance() {
    for status in [401, 403, 301] {
        let result = balance(status, &[], "").await;
        assert!(matches!(result, Err(FreeRequestFailure::Misconfigured { .. })), "{status}");
    }
    for status in [400, 402, 404, 408, 422, 500, 502, 503] {
        let result = balance(status, &[], "").await;
        assert!(matches!(result, Err(FreeRequestFailure::Unavailable { .. })), "{status}");
    }
    let retry_after = Some(Duration::from_secs(3));
    let result = balance(429, &[("retry-after", "3")], "").await;
    assert_eq!(result, Err(FreeRequestFailure::RateLimited { retry_after }));
}

async fn look_up(status: u16, headers: &[(&str, &str)], body: &str) -> LookupOutcome {
    let stub = Stub::start([answer(status, headers, body)]).await;
    discreet(stub.ocean().look_up(&["ada".to_owned(), "bo".to_owned()]).await)
}

#[tokio::test]
async fn looks_people_up_as_documented() {
    let stub = Stub::start([answer(200, &[], r#"{"people": []}"#)]).await;
    let _ = stub.ocean().look_up(&["ada".to_owned(), "bo".to_owned()]).await;
    let request = stub.only_request();
    assert_eq!(request.line, "POST /v2/lookup/people HTTP/1.1");
    assert_eq!(request.header("x-api-token"), Some(KEY));
    assert_eq!(request.json(), json!({"linkedinHandles": ["ada", "bo"], "oceanIds": []}));
}

#[tokio::test]
async fn a_lookup_returns_ids_or_why_not() {
    let matches = Matches { ids: vec![None, Some("o2".to_owned())], unnamed: false };
    let body = r#"{"people": [{"id": "o2", "linkedinHandle": "bo"}]}"#;
    assert_eq!(look_up(200, &[], body).await, LookupOutcome::Answered(matches));
    for (status, body) in [
        (200, ""),
        (200, "<html>"),
        (200, r#"{"detail": "no"}"#),
        (500, ""),
        (408, ""),
        (504, body),
    ] {
        let outcome = look_up(status, &[], body).await;
        assert!(matches!(outcome, LookupOutcome::Unknown { .. }), "{status} {body}");
    }
    let place =
        r#"{"detail": [{"loc": ["body", "linkedinHandles", 1], "msg": "no", "type": "x"}]}"#;
    let named = vec![BadPerson { index: 1, message: "no".to_owned() }];
    let limited = Refusal::RateLimited { retry_after: Some(Duration::from_secs(7)) };
    for (status, body, refusal) in [
        (422, place, Refusal::BadPeople(named)),
        (402, r#"{"detail": "Insufficient phone credits"}"#, Refusal::CreditsInsufficient),
        (429, "", limited),
    ] {
        let outcome = look_up(status, &[("retry-after", "7")], body).await;
        assert_eq!(outcome, LookupOutcome::Refused(refusal), "{status}");
    }
    assert!(matches!(
        look_up(503, &[], "").await,
        LookupOutcome::Refused(Refusal::Unavailable { .. })
    ));
    assert!(matches!(
        look_up(403, &[], "").await,
        LookupOutcome::Refused(Refusal::Misconfigured { .. })
    ));
}
