//! Ocean's endpoints: what is accepted, what is refused and in which words, and the webhook.

use sandbox::{Config, Locate, Provider};
use serde_json::{Value, json};

use crate::support::{Answer, Stage};

const REVEAL: &str = "/v2/reveal/phones";

#[tokio::test]
async fn one_webhook_has_all_people_in_order() {
    let stage = Stage::instant().await;
    let accepted = stage.ask_ocean(&["p1", "found-a", "none-b", "many-c", "p2"]).await;
    accepted.is(200, &json!({"status": "webhook sent"}));
    let webhook = &stage.inbox.wait(1).await[0];
    let phones = webhook["phones"].as_array().expect("phones");
    let ids: Vec<_> =
        phones.iter().map(|entry| entry["personId"].as_str().expect("an id")).collect();
    assert_eq!(ids, ["p1", "found-a", "none-b", "many-c", "p2"]);
    for entry in phones {
        let expected =
            stage.sandbox.expected(Provider::Ocean, entry["personId"].as_str().expect("an id"));
        if expected.numbers.is_empty() {
            assert_eq!((&entry["status"], &entry["numbers"]), (&json!("notFound"), &Value::Null));
        } else {
            assert_eq!(
                (&entry["status"], &entry["numbers"]),
                (&json!("verified"), &json!(expected.e164()))
            );
        }
    }
    assert_eq!(phones[3]["numbers"].as_array().map(Vec::len), Some(3));
    assert_eq!(stage.inbox.len(), 1);
}

#[tokio::test]
async fn with_a_delay_it_is_in_progress() {
    let stage = Stage::with(|config| config.ocean.result_delay_ms = (20, 30)).await;
    stage.ask_ocean(&["found-a"]).await.is(200, &json!({"status": "in progress"}));
    assert_eq!(stage.sandbox.stats().ocean.credits_reserved, 1);
    stage.inbox.wait(1).await;
    stage.idle().await;
    assert_eq!(stage.sandbox.stats().ocean.credits_reserved, 0);
}

#[tokio::test]
async fn the_key_is_checked_in_both_places() {
    let stage = Stage::with(|config| config.ocean.keys = vec!["good".into()]).await;
    let conflict =
        json!({"detail": "Conflicting API tokens provided in query parameters and headers"});
    let none = json!({"detail": "API token should be provided in headers or query parameters"});
    let unknown = json!({"detail": "Current API token is not registered in our database"});
    let body = json!({"personIds": ["p1"], "webhookUrl": stage.inbox.url()});
    for (header, query, status, detail) in [
        (Some("good"), None, 200, None),
        (None, Some("good"), 200, None),
        (Some("good"), Some("good"), 200, None),
        (Some("good"), Some("other"), 400, Some(&conflict)),
        (None, None, 403, Some(&none)),
        (Some(""), None, 403, Some(&none)),
        (Some("bad"), None, 403, Some(&unknown)),
        (None, Some("bad"), 403, Some(&unknown)),
    ] {
        let path =
            query.map_or_else(|| REVEAL.to_owned(), |query| format!("{REVEAL}?apiToken={query}"));
        let mut request = stage.client.post(stage.url(&path)).json(&body);
        if let Some(header) = header {
            request = request.header("x-api-token", header);
        }
        let answer = Answer::of(request.send().await.expect("answered")).await;
        assert_eq!(answer.status, status, "{header:?} {query:?}");
        if let Some(detail) = detail {
            assert_eq!(&answer.body, detail);
        }
    }
    assert_eq!(stage.sandbox.stats().ocean.accepted_requests, 3);
}

#[tokio::test]
async fn a_bad_id_is_named_as_precisely_as_configured() {
    let stage = Stage::instant().await;
    let ids = ["p0", "bad-1", "p2", "bad-3"];
    let answer = stage.ask_ocean(&ids).await;
    assert_eq!(answer.status, 422);
    assert_eq!(answer.body["detail"][0]["loc"], json!(["body", "personIds", 1]));
    assert_eq!(answer.body["detail"][1]["loc"], json!(["body", "personIds", 3]));
    assert!(
        answer.body["detail"][0]["msg"].is_string() && answer.body["detail"][0]["type"].is_string()
    );
    for (locate, loc) in
        [(Locate::Field, json!(["body", "personIds"])), (Locate::Absent, Value::Null)]
    {
        stage.sandbox.merge_config(&json!({"ocean": {"locate": locate}})).expect("valid");
        assert_eq!(stage.ask_ocean(&ids).await.body["detail"][0]["loc"], loc);
    }
    assert_eq!(stage.sandbox.stats().ocean.accepted_requests, 0);
    assert_eq!(stage.sandbox.stats().ocean.credits_reserved, 0);
}

#[tokio::test]
async fn bodies_that_are_refused() {
    let stage = Stage::instant().await;
    let url = stage.inbox.url();
    let many: Vec<String> = (0..501).map(|n| format!("p{n}")).collect();
    for (body, loc, kind) in [
        (json!({"webhookUrl": url}), json!(["body", "personIds"]), "missing"),
        (json!({"personIds": "p1", "webhookUrl": url}), json!(["body", "personIds"]), "list_type"),
        (json!({"personIds": [], "webhookUrl": url}), json!(["body", "personIds"]), "too_short"),
        (json!({"personIds": many, "webhookUrl": url}), json!(["body", "personIds"]), "too_long"),
        (
            json!({"personIds": ["a", ""], "webhookUrl": url}),
            json!(["body", "personIds", 1]),
            "string_too_short",
        ),
        (
            json!({"personIds": ["a", 7], "webhookUrl": url}),
            json!(["body", "personIds", 1]),
            "string_type",
        ),
        (json!({"personIds": ["a"]}), json!(["body", "webhookUrl"]), "missing"),
        (
            json!({"personIds": ["a"], "webhookUrl": "nowhere"}),
            json!(["body", "webhookUrl"]),
            "url_parsing",
        ),
        (
            json!({"personIds": ["a"], "webhookUrl": "ftp://x/y"}),
            json!(["body", "webhookUrl"]),
            "url_parsing",
        ),
        (
            json!({"personIds": ["a"], "webhookUrl": 7}),
            json!(["body", "webhookUrl"]),
            "url_parsing",
        ),
    ] {
        let answer = Answer::of(stage.ocean(&body).send().await.expect("answered")).await;
        assert_eq!((answer.status, &answer.body["detail"][0]["loc"]), (422, &loc), "{kind}");
        assert_eq!(answer.body["detail"][0]["type"], kind);
    }
    let broken = stage.ocean(&json!(0)).body("{").send().await.expect("answered");
    assert_eq!(Answer::of(broken).await.body["detail"][0]["type"], "json_invalid");
}

#[tokio::test]
async fn five_hundred_people_are_taken() {
    let stage = Stage::instant().await;
    let ids: Vec<String> = (0..500).map(|n| format!("p{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    assert_eq!(stage.ask_ocean(&ids).await.status, 200);
    assert_eq!(stage.inbox.wait(1).await[0]["phones"].as_array().map(Vec::len), Some(500));
    assert_eq!(stage.sandbox.stats().ocean.largest_request, 500);
}

#[tokio::test]
async fn what_isnt_there_is_404_without_a_body() {
    let stage = Stage::instant().await;
    for answer in [stage.ask_ocean(&["p1", "gone-2"]).await, stage.get("/v2/reveal/nothing").await]
    {
        assert_eq!((answer.status, answer.text.as_str()), (404, ""));
    }
    assert_eq!(stage.sandbox.stats().unknown_paths, 1);
    assert_eq!(stage.sandbox.stats().ocean.accepted_requests, 0);
}

#[tokio::test]
async fn the_balance_has_its_documented_shape() {
    let stage = Stage::with(|config| {
        config.ocean.limits.quota = Config::default().ocean.limits.quota;
        (config.ocean.one_time, config.ocean.recurrent) = (100, 900);
    })
    .await;
    let answer = stage.get("/v2/credits/balance").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["phoneCredits"], json!({"oneTime": 100, "recurrent": 900}));
    assert_eq!(answer.body["credits"], json!({"oneTime": 0, "recurrent": 0}));
    assert_eq!(answer.body["emailCredits"], json!({"oneTime": 0, "recurrent": 0}));
    assert_eq!(answer.body["dailyLimitRateLeft"], 999);
    let reset = answer.body["dailyLimitRateSecondsToReset"].as_u64().expect("seconds");
    assert!((86_300..=86_400).contains(&reset), "{reset}");
}

#[tokio::test]
async fn a_stuck_person_stays_in_progress() {
    let stage = Stage::instant().await;
    stage.ask_ocean(&["stuck-1", "found-2"]).await;
    let webhook = &stage.inbox.wait(1).await[0];
    assert_eq!(webhook["phones"][0], json!({"personId": "stuck-1", "status": "inProgress"}));
    assert_eq!(webhook["phones"][1]["status"], "verified");
    assert_eq!(stage.sandbox.stats().ocean.credits_reserved, 0);
}
