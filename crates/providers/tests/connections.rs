//! Broken connections and the statuses that mean the same for every provider: which of them may
//! have cost money, and which can't have.
#![allow(clippy::unwrap_used, clippy::panic)]

mod stub;

use std::time::Duration;

use jobs::outcome::{Refusal, RevealOutcome};
use jobs::{Identifier, IdentifierKind};
use providers::{InvalidAccount, clodura, http, ocean};
use stub::{KEY, Reply, Stub, TIMEOUT, answer, discreet};
use tokio::net::TcpListener;
use url::Url;

const WEBHOOK: &str = "https://me.example/webhooks/x/1/abc";

/// Orders at both providers, each with a client of its own.
async fn order(url: &Url) -> [RevealOutcome; 2] {
    let ocean = ocean::Client::new(url.clone(), stub::key(), stub::http()).unwrap();
    let clodura = clodura::Client::new(url.clone(), stub::key(), stub::http()).unwrap();
    let person = Identifier::parse(IdentifierKind::CloduraPersonId, "1").unwrap();
    let (a, b) =
        tokio::join!(ocean.reveal(&["p1"], WEBHOOK), clodura.reveal(&person, Some(WEBHOOK), true));
    discreet([a, b])
}

async fn answered(reply: Reply) -> [RevealOutcome; 2] {
    order(&Stub::start([reply]).await.url).await
}

fn with_scheme(url: &Url, scheme: &str) -> Url {
    Url::parse(&url.as_str().replacen("http", scheme, 1)).unwrap()
}

#[track_caller]
fn are_unavailable(outcomes: [RevealOutcome; 2]) {
    for outcome in outcomes {
        let RevealOutcome::Refused(Refusal::Unavailable { message, retry_after: None }) = outcome
        else {
            panic!("{outcome:?}")
        };
        assert!(message.starts_with("no connection: "), "{message}");
    }
}

#[track_caller]
fn are_unknown(outcomes: [RevealOutcome; 2], expected: &str) {
    for outcome in outcomes {
        let RevealOutcome::Unknown { why } = outcome else { panic!("{outcome:?}") };
        assert!(why.starts_with(expected), "{why}");
    }
}

#[track_caller]
fn are_accepted(outcomes: [RevealOutcome; 2]) {
    for outcome in outcomes {
        assert_eq!(outcome, RevealOutcome::Accepted { tracking_id: None });
    }
}

#[tokio::test]
async fn no_server_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    are_unavailable(order(&url).await);
}

#[tokio::test]
async fn the_name_is_unknown() {
    are_unavailable(order(&Url::parse("http://provider.invalid").unwrap()).await);
}

#[tokio::test]
async fn a_plain_port_is_asked_for_tls() {
    let stub = Stub::start([answer(200, &[], "{}")]).await;
    are_unavailable(order(&with_scheme(&stub.url, "https")).await);
    assert!(stub.requests().is_empty());
}

#[tokio::test]
async fn tls_is_never_answered() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("https://{}", listener.local_addr().unwrap())).unwrap();
    are_unavailable(order(&url).await);
}

#[tokio::test]
async fn the_connection_ends_before_the_answer() {
    are_unknown(answered(Reply::Close).await, "connection lost: ");
    are_unknown(answered(Reply::Reset).await, "connection lost: ");
    let half_a_head = Reply::BytesThenClose(b"HTTP/1.1 200 OK\r\ncontent-le".to_vec());
    are_unknown(answered(half_a_head).await, "connection lost: ");
    are_unknown(answered(Reply::Bytes(b"220 smtp\r\n\r\n".to_vec())).await, "connection lost: ");
}

#[tokio::test]
async fn no_answer_in_time() {
    are_unknown(answered(Reply::Silence).await, "time-out after 2s");
}

#[tokio::test]
async fn half_a_body_changes_nothing_about_the_status() {
    let head =
        |status| format!("HTTP/1.1 {status} X\r\ncontent-length: 90\r\n\r\n{{\"detail\": \"");
    are_accepted(answered(Reply::BytesThenClose(head(200).into_bytes())).await);
    // Not even if the rest never comes.
    are_accepted(answered(Reply::Bytes(head(200).into_bytes())).await);
    for outcome in answered(Reply::BytesThenClose(head(402).into_bytes())).await {
        assert_eq!(outcome, RevealOutcome::Refused(Refusal::CreditsInsufficient));
    }
}

#[tokio::test]
async fn a_body_without_end() {
    let large = "x".repeat(5 * 1024 * 1024);
    are_accepted(answered(answer(200, &[], &large)).await);
    for outcome in answered(answer(400, &[], &large)).await {
        let message = "HTTP 400".to_owned();
        assert_eq!(outcome, RevealOutcome::Refused(Refusal::BadRequest { message }));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Stub::start([answer(200, &[], "{}")]).await;
    for status in [300, 301, 302, 303, 304, 307, 308] {
        let location = [("location", elsewhere.url.as_str())];
        for outcome in answered(answer(status, &location, "")).await {
            let RevealOutcome::Refused(Refusal::Misconfigured { message }) = outcome else {
                panic!("{status}: {outcome:?}")
            };
            assert!(message.starts_with(&format!("HTTP {status}: a redirect")), "{message}");
        }
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn a_503_is_a_refusal() {
    for outcome in answered(answer(503, &[("Retry-After", "7")], "")).await {
        let refusal = Refusal::Unavailable {
            message: "HTTP 503".to_owned(),
            retry_after: Some(Duration::from_secs(7)),
        };
        assert_eq!(outcome, RevealOutcome::Refused(refusal));
    }
}

#[tokio::test]
async fn every_other_5xx_and_408_may_have_been_taken() {
    for status in [408, 500, 501, 502, 504, 507, 520, 524, 599, 600, 999] {
        let body = format!("<html>{KEY} +1 555 0100 555</html>");
        let expected = format!("HTTP {status}");
        are_unknown(answered(answer(status, &[], &body)).await, &expected);
    }
}

#[tokio::test]
async fn an_order_is_never_sent_twice() {
    let accepted = answer(200, &[], "{}");
    for fault in [Reply::Close, Reply::Reset, answer(503, &[], ""), answer(502, &[], "")] {
        let stub = Stub::start([accepted.clone(), fault, accepted.clone()]).await;
        let client = stub.ocean();
        let first = client.reveal(&["p1"], WEBHOOK).await;
        assert_eq!(first, RevealOutcome::Accepted { tracking_id: None });
        let second = client.reveal(&["p2"], WEBHOOK).await;
        assert_ne!(second, RevealOutcome::Accepted { tracking_id: None });
        assert_eq!(stub.requests().len(), 2);
    }
}

#[tokio::test]
async fn a_connection_closed_while_idle_costs_nothing() {
    let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec();
    let stub = Stub::start([Reply::BytesThenClose(bytes)]).await;
    let client = stub.ocean();
    for asked in 1..=3 {
        let outcome = client.reveal(&["p1"], WEBHOOK).await;
        assert_eq!(outcome, RevealOutcome::Accepted { tracking_id: None });
        assert_eq!(stub.requests().len(), asked);
        // Lets the client see the end of the connection before it would use the connection again.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_status_is_reported_with_the_outcome() {
    let stub = Stub::start([answer(202, &[], "{}"), answer(429, &[], ""), Reply::Close]).await;
    let client = stub.ocean();
    let (outcome, status) = http::with_status(client.reveal(&["p1"], WEBHOOK)).await;
    assert_eq!((outcome, status), (RevealOutcome::Accepted { tracking_id: None }, Some(202)));
    assert_eq!(http::with_status(client.balance()).await.1, Some(429));
    assert_eq!(http::with_status(client.balance()).await.1, None);
}

#[tokio::test]
async fn a_base_may_have_a_path() {
    for path in ["/proxy", "/proxy/"] {
        let stub = Stub::start([answer(200, &[], "{}")]).await;
        let base = stub.url.join(path).unwrap();
        let client = ocean::Client::new(base, stub::key(), stub::http()).unwrap();
        let _ = client.balance().await;
        assert_eq!(stub.only_request().line, "GET /proxy/v2/credits/balance HTTP/1.1");
    }
}

#[test]
fn accounts_that_can_not_work_are_refused() {
    let http = http::client(TIMEOUT).unwrap();
    let base = Url::parse(ocean::BASE_URL).unwrap();
    for key in ["", " ", "a\nb", "a\0b"] {
        let client = ocean::Client::new(base.clone(), key.into(), http.clone());
        assert_eq!(client.map(|_| ()), Err(InvalidAccount::Key), "{key:?}");
    }
    for base in ["ftp://example.com", "mailto:me@example.com", "file:///etc"] {
        let client = clodura::Client::new(Url::parse(base).unwrap(), "k".into(), http.clone());
        assert_eq!(client.map(|_| ()), Err(InvalidAccount::BaseUrl), "{base}");
    }
}

#[test]
fn a_client_prints_without_its_key() {
    let http = http::client(TIMEOUT).unwrap();
    let base = Url::parse(clodura::BASE_URL).unwrap();
    discreet(ocean::Client::new(base.clone(), stub::key(), http.clone()).unwrap());
    discreet(clodura::Client::new(base, stub::key(), http).unwrap());
}
