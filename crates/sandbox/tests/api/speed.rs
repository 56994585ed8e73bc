//! A floor under the speed, low enough for a busy machine and an unoptimised build; `--nocapture` prints the measure.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::Stage;

#[tokio::test]
async fn ten_thousand_people_of_ocean() {
    let stage = Stage::instant().await;
    let begin = Instant::now();
    for request in 0..20 {
        let ids: Vec<String> = (0..500).map(|n| format!("p{request}-{n}")).collect();
        stage.ask_ocean(&ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    stage.idle().await;
    println!("10000 people of Ocean in {:?}", begin.elapsed());
    assert_eq!(stage.sandbox.stats().ocean.people_finished, 10_000);
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn two_thousand_requests_to_clodura() {
    let stage = Stage::instant().await;
    let begin = Instant::now();
    let client = async |from: usize| {
        for n in 0..125 {
            let id = format!("p{from}-{n}");
            let body = json!({"personId": id, "revealPhoneNumberViaPartners": true, "webhookUrl": stage.inbox.url()});
            assert_eq!(stage.clodura(&body).send().await.expect("answered").status(), 200);
        }
    };
    tokio::join!(
        client(0),
        client(1),
        client(2),
        client(3),
        client(4),
        client(5),
        client(6),
        client(7),
        client(8),
        client(9),
        client(10),
        client(11),
        client(12),
        client(13),
        client(14),
        client(15),
    );
    stage.idle().await;
    println!("2000 requests to Clodura, with webhooks, in {:?}", begin.elapsed());
    assert_eq!(stage.inbox.len(), 2_000);
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}
