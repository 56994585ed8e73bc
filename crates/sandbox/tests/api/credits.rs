//! What is reserved, charged and refused.

use sandbox::{OceanBody, OceanPlan, PeopleFilter, Plan, Provider, SOURCES};
use serde_json::json;

use crate::support::Stage;

async fn ocean_with(credits: i64) -> Stage {
    Stage::with(|config| (config.ocean.one_time, config.ocean.recurrent) = (0, credits)).await
}

#[tokio::test]
async fn ocean_charges_for_every_number() {
    let stage = ocean_with(10).await;
    stage.ask_ocean(&["found-1", "many-2", "none-3"]).await;
    stage.idle().await;
    let ocean = stage.sandbox.stats().ocean;
    assert_eq!((ocean.credits_left, ocean.credits_reserved, ocean.credits_charged), (6, 0, 4));
    assert_eq!((ocean.people_finished, ocean.people_found, ocean.people_charged), (3, 2, 2));
    assert_eq!(stage.get("/v2/credits/balance").await.body["phoneCredits"]["recurrent"], 6);
}

#[tokio::test]
async fn a_unified_plan_pays_ten_for_every_number_from_one_pool() {
    let stage = Stage::with(|config| {
        (config.ocean.plan, config.ocean.body) = (OceanPlan::Unified, OceanBody::Results);
        (config.ocean.one_time, config.ocean.recurrent) = (0, 100);
    })
    .await;
    stage.ask_ocean(&["found-1", "many-2", "none-3"]).await;
    let webhook = &stage.inbox.wait(1).await[0];
    assert_eq!(webhook["creditsUsed"], 40);
    assert_eq!(webhook["results"][0]["phone"]["status"], "verified");
    assert_eq!(webhook["results"][2]["phone"]["status"], "notFound");
    stage.idle().await;
    assert_eq!(stage.sandbox.stats().ocean.credits_charged, 40);
    let balance = stage.get("/v2/credits/balance").await.body;
    assert_eq!(balance["credits"], json!({"oneTime": 0, "recurrent": 60}));
    assert_eq!(balance["phoneCredits"], json!({"oneTime": 0, "recurrent": 0}));
    assert_eq!(stage.ask_ocean(&["a", "b", "c", "d", "e", "f", "g"]).await.status, 402);
}

#[tokio::test]
async fn ocean_refuses_what_it_couldnt_be_paid_for() {
    let stage = ocean_with(3).await;
    let insufficient = json!({"detail": "Insufficient phone credits"});
    stage.ask_ocean(&["p1", "p2", "p3", "p4"]).await.is(402, &insufficient);
    stage.sandbox.top_up(Provider::Ocean, 1);
    assert_eq!(stage.ask_ocean(&["none-1", "none-2", "none-3", "none-4"]).await.status, 200);
}

#[tokio::test]
async fn ocean_refuses_while_others_may_use_it_up() {
    let stage = ocean_with(3).await;
    stage
        .sandbox
        .merge_config(&json!({"ocean": {"result_delay_ms": [3600000, 3600000]}}))
        .expect("valid");
    assert_eq!(stage.ask_ocean(&["none-1", "none-2"]).await.status, 200);
    let first = "Credits might be insufficient because of pending phone verifications. Please try again later.";
    stage.ask_ocean(&["p1", "p2"]).await.is(402, &json!({"detail": first}));
    stage
        .sandbox
        .merge_config(&json!({"ocean": {"pending_text": "might_use_all"}}))
        .expect("valid");
    let second = "Some phone verifications are already in progress and might use all your remaining phone credits. \
                  Please try again later.";
    stage.ask_ocean(&["p1", "p2"]).await.is(402, &json!({"detail": second}));
    assert_eq!(stage.ask_ocean(&["none-3"]).await.status, 200);
}

#[tokio::test]
async fn a_debt_is_shown_as_nothing_left() {
    let stage = ocean_with(1).await;
    stage.ask_ocean(&["many-1"]).await;
    stage.idle().await;
    assert_eq!(stage.sandbox.stats().ocean.credits_left, -2);
    let balance = stage.get("/v2/credits/balance").await.body;
    assert_eq!(balance["phoneCredits"], json!({"oneTime": 0, "recurrent": 0}));
    stage.sandbox.top_up(Provider::Ocean, 5);
    let balance = stage.get("/v2/credits/balance").await.body;
    let left = balance["phoneCredits"]["oneTime"]
        .as_i64()
        .zip(balance["phoneCredits"]["recurrent"].as_i64());
    assert_eq!(left.map(|(one_time, recurrent)| one_time + recurrent), Some(3));
}

#[tokio::test]
async fn repeats_are_charged_and_seen() {
    let stage = Stage::instant().await;
    for _ in 0..2 {
        stage.ask_ocean(&["found-1", "none-2"]).await;
        stage.ask_clodura("found-1").await;
    }
    stage.ask_ocean(&["found-3"]).await;
    stage.idle().await;
    let stats = stage.sandbox.stats();
    assert_eq!(
        (stats.ocean.people, stats.ocean.people_asked_again, stats.ocean.people_charged_again),
        (3, 2, 1)
    );
    assert_eq!((stats.clodura.people_asked_again, stats.clodura.people_charged_again), (1, 1));
    let person = stage.sandbox.person(Provider::Ocean, "found-1").expect("known");
    assert_eq!((person.asked, person.charged, person.credits), (2, 2, 2));
    let filter = PeopleFilter { min_charged: 2, ..PeopleFilter::default() };
    assert_eq!(stage.sandbox.people(&filter).len(), 2);
    assert_eq!(stage.sandbox.person(Provider::Ocean, "p9"), None);
}

#[tokio::test]
async fn repeats_can_be_free() {
    let stage = Stage::with(|config| {
        config.ocean.charge_repeats = false;
        config.clodura.charge_repeats = false;
    })
    .await;
    for _ in 0..2 {
        stage.ask_ocean(&["found-1"]).await;
        stage.ask_clodura("found-1").await;
        stage.idle().await;
    }
    let stats = stage.sandbox.stats();
    assert_eq!((stats.ocean.credits_charged, stats.ocean.people_found), (1, 2));
    assert_eq!((stats.clodura.people_charged_again, stats.clodura.people_found), (0, 2));
}

#[tokio::test]
async fn payg_costs_what_the_partner_costs() {
    let stage = Stage::instant().await;
    let before = stage.sandbox.stats().clodura.credits_left;
    stage.ask_clodura("found-1").await;
    stage.ask_clodura("none-1").await;
    stage.idle().await;
    let source = stage.sandbox.expected(Provider::Clodura, "found-1").source.expect("a source");
    let price =
        SOURCES.iter().find(|(name, _)| *name == source).map(|(_, price)| *price).expect("listed");
    let clodura = stage.sandbox.stats().clodura;
    assert_eq!(clodura.credits_charged, price);
    assert_eq!(before - clodura.credits_left, price as i64);
}

#[tokio::test]
async fn payg_runs_out_among_the_partners() {
    let stage = Stage::with(|config| config.clodura.remaining_credits = 13).await;
    stage.ask_clodura("none-1").await;
    let webhook = &stage.inbox.wait(1).await[0];
    let entries = &webhook["people"][0]["phoneNumbers"];
    assert_eq!(entries["SignalHire"], json!({"status": "notFound"}));
    for partner in ["Enrichlayer", "Wiza", "LeadMagic", "RocketReach", "Findymail"] {
        assert_eq!(entries[partner], json!({"status": "Insufficient Credits"}));
    }
    stage.sandbox.top_up(Provider::Clodura, -4);
    assert_eq!(stage.ask_clodura("none-2").await.status, 402);
    stage.sandbox.top_up(Provider::Clodura, 100);
    assert_eq!(stage.ask_clodura("none-2").await.status, 200);
    stage.ask_clodura("poor-3").await;
    let webhooks = stage.inbox.wait(3).await;
    let poor =
        webhooks.iter().find(|webhook| webhook["people"][0]["personId"] == "poor-3").expect("came");
    assert_eq!(
        poor["people"][0]["phoneNumbers"]["Clodura"],
        json!({"status": "Insufficient Credits"})
    );
    assert_eq!(stage.sandbox.stats().clodura.credits_charged, 0);
}

#[tokio::test]
async fn insufficient_credits_can_be_a_rate() {
    let stage = Stage::with(|config| config.clodura.insufficient_rate = 1.0).await;
    stage.ask_clodura("found-1").await;
    let webhook = &stage.inbox.wait(1).await[0];
    let entries = webhook["people"][0]["phoneNumbers"].as_object().expect("entries");
    assert!(entries.values().all(|entry| entry["status"] == "Insufficient Credits"));
}

#[tokio::test]
async fn prospect_pays_with_dials_and_exports() {
    let stage = Stage::with(|config| {
        config.clodura.plan = Plan::Prospect;
        config.clodura.max_direct_dials = 1;
    })
    .await;
    stage.ask_clodura("none-1").await;
    stage.idle().await;
    stage.ask_clodura("many-1").await;
    stage.idle().await;
    let balance = stage.get("/api/v1/credits").await.body;
    assert_eq!((&balance["directDials"], &balance["contactsView"]), (&json!(1), &json!(1)));
    assert_eq!(stage.ask_clodura("found-2").await.status, 402);
    stage.sandbox.top_up(Provider::Clodura, 1);
    assert_eq!(stage.ask_clodura("found-2").await.status, 200);
}
