//! Clodura's endpoints: what is accepted, what is refused, both shapes of results, and tracking.

use sandbox::{Plan, Provider, SOURCES};
use serde_json::{Value, json};

use crate::support::{Answer, Stage};

async fn ask(stage: &Stage, body: Value) -> Answer {
    Answer::of(stage.clodura(&body).send().await.expect("answered")).await
}

/// Finds an unmarked person whose numbers the wanted source has.
fn person_of(stage: &Stage, source: Option<&str>) -> String {
    (0..10_000)
        .map(|n| format!("person{n}"))
        .find(|id| stage.sandbox.expected(Provider::Clodura, id).source.as_deref() == source)
        .expect("one of many")
}

#[tokio::test]
async fn the_multi_provider_shape() {
    let stage = Stage::instant().await;
    let id = person_of(&stage, Some("Wiza"));
    let accepted = stage.ask_clodura(&id).await;
    assert_eq!(accepted.status, 200);
    assert_eq!(accepted.body["status"], "Callback will be triggered once processing is complete.");
    assert_eq!(accepted.body["trackingId"].as_str().map(str::len), Some(24));
    let webhook = &stage.inbox.wait(1).await[0];
    assert_eq!(webhook["trackingId"], accepted.body["trackingId"]);
    assert_eq!(webhook["status"], "success");
    let person = &webhook["people"][0];
    let expected = stage.sandbox.expected(Provider::Clodura, &id);
    assert_eq!(person["personId"], id);
    assert_eq!(person["firstName"], expected.first_name);
    assert_eq!(person["phoneNumbers"]["Clodura"], json!({"status": "notFound"}));
    assert_eq!(person["phoneNumbers"]["Enrichlayer"], json!({"status": "notFound"}));
    assert_eq!(person["phoneNumbers"]["Wiza"]["status"], "found");
    let first = &expected.numbers[0];
    assert_eq!(person["phoneNumbers"]["Wiza"][&first.kind][0], first.raw);
    assert_eq!(person["phoneNumbers"].get("RocketReach"), None, "nobody is asked after a find");
    stage.idle().await;
    stage.track(&accepted).await.is(200, webhook);
}

#[tokio::test]
async fn no_find_means_all_sources_were_asked() {
    let stage = Stage::instant().await;
    stage.ask_clodura("none-1").await;
    let webhook = &stage.inbox.wait(1).await[0];
    let entries = webhook["people"][0]["phoneNumbers"].as_object().expect("entries");
    assert_eq!(entries.len(), SOURCES.len());
    assert!(entries.values().all(|entry| *entry == json!({"status": "notFound"})));
}

#[tokio::test]
async fn the_standard_shape() {
    let stage = Stage::with(|config| config.clodura.plan = Plan::Prospect).await;
    let accepted = stage.ask_clodura("many-1").await;
    let webhook = &stage.inbox.wait(1).await[0];
    let result = stage.sandbox.expected(Provider::Clodura, "many-1");
    let source = if result.source.as_deref() == Some("Clodura") { "clodura" } else { "partner" };
    let numbers: Vec<Value> = result
        .numbers
        .iter()
        .map(|number| json!({"raw_number": number.raw, "type": number.kind, "source": source}))
        .collect();
    let expected = json!({
        "personId": "many-1", "firstName": result.first_name, "lastName": result.last_name, "phoneNumbers": numbers,
    });
    assert_eq!(webhook, &expected);
    stage.idle().await;
    stage.track(&accepted).await.is(200, &expected);
    stage.ask_clodura("none-1").await;
    assert_eq!(stage.inbox.wait(2).await[1]["phoneNumbers"], json!([]));
}

#[tokio::test]
async fn without_partners_only_clodura_is_asked() {
    let stage = Stage::instant().await;
    for (source, status) in
        [(Some("Clodura"), "found"), (Some("Findymail"), "notFound"), (None, "notFound")]
    {
        let accepted = ask(&stage, json!({"personId": person_of(&stage, source)})).await;
        assert_eq!(accepted.status, 200);
        stage.idle().await;
        let result = stage.track(&accepted).await.body;
        let entries = result["people"][0]["phoneNumbers"].as_object().expect("entries").clone();
        assert_eq!(entries.keys().collect::<Vec<_>>(), ["Clodura"]);
        assert_eq!(entries["Clodura"]["status"], status);
    }
    assert_eq!(stage.inbox.len(), 0);
}

#[tokio::test]
async fn an_address_is_answered_under_an_id_it_never_named() {
    let stage = Stage::instant().await;
    for spelling in ["https://www.linkedin.com/in/Foo-Bar/", "linkedin.com/in/foo-bar"] {
        let body = json!({"linkedinUrl": spelling, "revealPhoneNumberViaPartners": true, "webhookUrl": stage.inbox.url()});
        assert_eq!(ask(&stage, body).await.status, 200);
    }
    let webhooks = stage.inbox.wait(2).await;
    let expected = stage.sandbox.expected(Provider::Clodura, "linkedin.com/in/foo-bar").person_id;
    for webhook in &webhooks {
        assert_eq!(webhook["people"][0]["personId"], expected);
    }
    stage.idle().await;
    let person = stage.sandbox.person(Provider::Clodura, "linkedin.com/in/FOO-BAR").expect("known");
    assert_eq!((person.person_id, person.asked), (expected, 2));
}

#[tokio::test]
async fn keys_and_plans_are_checked() {
    let stage = Stage::with(|config| config.clodura.keys = vec!["key".into()]).await;
    let path = stage.url("/api/v1/search/people/phone/match");
    for key in [None, Some(""), Some("other")] {
        let request = stage.client.post(&path).json(&json!({"personId": "1"}));
        let request = key.map_or_else(
            || request.try_clone().expect("clones"),
            |key| request.try_clone().expect("clones").header("X-API-KEY", key),
        );
        assert_eq!(request.send().await.expect("answered").status(), 401, "{key:?}");
    }
    assert_eq!(stage.ask_clodura("1").await.status, 200);
    stage.sandbox.merge_config(&json!({"clodura": {"plan_forbids": true}})).expect("valid");
    assert_eq!(stage.ask_clodura("1").await.status, 403);
    stage
        .sandbox
        .merge_config(&json!({"clodura": {"plan_forbids": false, "faults": {"wrong_key": true}}}))
        .expect("valid");
    assert_eq!(stage.ask_clodura("1").await.status, 401);
    assert_eq!(stage.get("/api/v1/credits").await.status, 401);
}

#[tokio::test]
async fn requests_that_are_refused() {
    let stage = Stage::instant().await;
    for (body, status) in [
        (json!({}), 422),
        (json!([]), 400),
        (json!({"personId": 7}), 422),
        (json!({"personId": "1", "revealPhoneNumberViaPartners": "yes"}), 422),
        (json!({"personId": "1", "revealPhoneNumberViaPartners": true}), 422),
        (json!({"personId": "1", "webhookUrl": "nowhere"}), 422),
        (json!({"personId": "bad-1"}), 422),
        (json!({"linkedinUrl": "linkedin.com/in/bad-1"}), 422),
        (json!({"linkedinUrl": "https://www.linkedin.com/sales/lead/ACwAAA,NAME"}), 422),
        (json!({"linkedinUrl": "https://example.com/in/foo"}), 422),
        (json!({"personId": "gone-1"}), 404),
    ] {
        let answer = ask(&stage, body.clone()).await;
        assert_eq!(answer.status, status, "{body}");
        assert!(answer.body["message"].is_string(), "{body}");
    }
    let broken = stage.clodura(&json!(0)).body("{").send().await.expect("answered");
    assert_eq!(broken.status(), 400);
    stage.sandbox.merge_config(&json!({"clodura": {"missing_field_status": 403}})).expect("valid");
    let missing = ask(&stage, json!({"personId": "1", "revealPhoneNumberViaPartners": true})).await;
    assert_eq!(missing.status, 403);
    assert!(missing.text.contains("webhookUrl"));
    assert_eq!(stage.sandbox.stats().clodura.accepted_requests, 0);
}

#[tokio::test]
async fn not_found_can_be_said_at_once() {
    let stage = Stage::with(|config| config.clodura.not_found_404_rate = 1.0).await;
    stage.ask_clodura("none-1").await.is(404, &json!({"message": "No result found"}));
    assert_eq!(stage.ask_clodura("found-1").await.status, 200);
}

#[tokio::test]
async fn tracking_says_not_yet_then_running_then_the_result() {
    let stage = Stage::with(|config| {
        config.clodura.track_unknown_ms = 3_600_000;
        config.clodura.result_delay_ms = (3_600_000, 3_600_000);
    })
    .await;
    let accepted = stage.ask_clodura("found-1").await;
    assert_eq!(stage.track(&accepted).await.status, 404);
    let merge = |patch| stage.sandbox.merge_config(&patch).expect("valid");
    merge(json!({"clodura": {"track_unknown_ms": 0}}));
    let running = json!({"trackingId": accepted.body["trackingId"], "status": "in progress"});
    stage.track(&accepted).await.is(200, &running);
    merge(json!({"clodura": {"result_delay_ms": [0, 0], "track_not_found_404": true}}));
    let (found, none) = (stage.ask_clodura("found-2").await, stage.ask_clodura("none-3").await);
    stage.inbox.wait(2).await;
    assert_eq!(stage.track(&found).await.body["people"][0]["personId"], "found-2");
    assert_eq!(stage.track(&none).await.status, 404);
    merge(json!({"clodura": {"track_forgets_ms": 1}}));
    tokio::time::timeout(crate::support::SOON, async {
        while stage.track(&found).await.status != 404 {}
    })
    .await
    .expect("forgotten");
    assert_eq!(stage.get("/api/v1/search/people/track/688a0c47e21f6bc2b089ee19").await.status, 404);
}

#[tokio::test]
async fn a_stuck_person_is_never_finished() {
    let stage = Stage::instant().await;
    let accepted = stage.ask_clodura("stuck-1").await;
    stage.ask_clodura("found-2").await;
    stage.idle().await;
    assert_eq!(stage.track(&accepted).await.body["status"], "in progress");
    assert_eq!(stage.inbox.len(), 1);
}

#[tokio::test]
async fn a_partner_may_be_unknown() {
    let stage = Stage::with(|config| config.clodura.unknown_partner_rate = 1.0).await;
    let id = person_of(&stage, Some("LeadMagic"));
    stage.ask_clodura(&id).await;
    let webhook = &stage.inbox.wait(1).await[0];
    let entries = webhook["people"][0]["phoneNumbers"].as_object().expect("entries");
    let (finder, _) = entries.iter().find(|(_, entry)| entry["status"] == "found").expect("found");
    assert!(SOURCES.iter().all(|(name, _)| name != finder), "{finder}");
}

#[tokio::test]
async fn the_balance_follows_the_plan() {
    let stage = Stage::with(|config| {
        config.clodura.remaining_credits = 120;
        (config.clodura.max_direct_dials, config.clodura.max_contacts) = (200, 1000);
    })
    .await;
    stage.get("/api/v1/credits").await.is(200, &json!({"remainingCredits": 120}));
    stage.sandbox.merge_config(&json!({"clodura": {"plan": "prospect"}})).expect("valid");
    let as_text = json!({"contactsView": 0, "maxContacts": "1000", "directDials": 0, "maxDirectDials": "200"});
    stage.get("/api/v1/credits").await.is(200, &as_text);
    stage.sandbox.merge_config(&json!({"clodura": {"numbers_as_text": false}})).expect("valid");
    assert_eq!(stage.get("/api/v1/credits").await.body["maxDirectDials"], 200);
}
