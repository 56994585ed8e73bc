//! Receives webhooks as the product does: each is answered once its results are stored.

use std::net::SocketAddr;

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::serve::ListenerExt;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::results::{Inbox, Stored};

/// A running listener.
pub struct Listener {
    address: SocketAddr,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Listener {
    pub async fn start(inbox: Inbox) -> Result<Listener> {
        let router = Router::new()
            .route("/clodura/{person}", post(one_person))
            .route("/ocean", post(many_people))
            .layer(DefaultBodyLimit::disable())
            .with_state(inbox);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        // Without this option answers may wait for the sender's delayed acknowledgement.
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true); // an error: answers are slower, and still come
        });
        let serving = tokio::spawn(axum::serve(listener, router).into_future());
        Ok(Listener { address, serving })
    }

    /// The base of the addresses that webhooks are sent to.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Clodura's webhook. The person is known by the address, because the body has Clodura's own id.
async fn one_person(
    State(inbox): State<Inbox>,
    Path(person): Path<String>,
    body: String,
) -> StatusCode {
    status(inbox.store(vec![Stored { id: person, body }]).await)
}

/// Ocean's webhook.
async fn many_people(State(inbox): State<Inbox>, body: Bytes) -> StatusCode {
    match results(&body) {
        Ok(results) => status(inbox.store(results).await),
        Err(_) => StatusCode::BAD_REQUEST,
    }
}

/// With another status than 200, the provider sends the webhook again.
fn status(stored: Result<()>) -> StatusCode {
    if stored.is_ok() { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR }
}

#[derive(Deserialize)]
struct Phones {
    phones: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Person {
    person_id: String,
}

/// Splits a body by person. What it says about a person is stored as it came.
fn results(body: &[u8]) -> serde_json::Result<Vec<Stored>> {
    let Phones { phones } = serde_json::from_slice(body)?;
    phones
        .into_iter()
        .map(|entry| {
            let Person { person_id } = serde_json::from_str(entry.get())?;
            Ok(Stored { id: person_id, body: Box::<str>::from(entry).into() })
        })
        .collect()
}
