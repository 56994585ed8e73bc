//! Posting webhooks as a provider does.

use std::time::Instant;

use anyhow::{Context, Result};
use jobs::{Clock, Provider, Timestamp};
use providers::Signer;
use providers::signature::DatedSecret;
use secrecy::SecretString;
use serde_json::json;

use crate::bench::Bench;
use crate::database::Conn;

/// A webhook that is ready to be posted.
pub struct Webhook {
    pub url: String,
    pub body: String,
}

/// The signer of webhook addresses in this database.
pub async fn signer(conn: &mut Conn) -> Result<Signer> {
    let secrets = "SELECT secret FROM secrets WHERE purpose = 'webhook' ORDER BY id DESC";
    let secret = conn.texts(secrets).await?.into_iter().next();
    let secret = SecretString::from(secret.context("the database has no webhook secret")?);
    // The database is new, so its only secret signs already.
    let secret = DatedSecret { secret, made_at: Timestamp(0) };
    Ok(Signer::new(&[secret], Clock::system().now())?)
}

/// The results of a call to Ocean, as Ocean would send them to this listener.
pub async fn ocean_webhook(
    conn: &mut Conn,
    signer: &Signer,
    listen: &str,
    call_id: &str,
) -> Result<Webhook> {
    // The views would count each person's rows, too, so reading the tables is quicker.
    let people = format!(
        "SELECT substr(r.subject, 7) FROM calls c JOIN call_reveals cr ON cr.call_id = c.id
         JOIN reveals r ON r.id = cr.reveal_id WHERE c.call_id = '{call_id}'"
    );
    let people = conn.texts(&people).await?;
    let phones: Vec<_> = people
        .iter()
        .enumerate()
        .map(|(n, person)| {
            json!({"personId": person, "status": "verified", "numbers": [format!("+1415555{:04}", 100 + n % 100)]})
        })
        .collect();
    let base = format!("http://{listen}").parse()?;
    let url = signer.webhook_url(&base, Provider::Ocean, call_id);
    Ok(Webhook { url, body: json!({"phones": phones}).to_string() })
}

/// Posts a webhook; returns the milliseconds until the 200.
pub async fn post(bench: &Bench, webhook: &Webhook) -> Result<f64> {
    let request = bench
        .http
        .post(&webhook.url)
        .header("content-type", "application/json")
        .body(webhook.body.clone());
    let started = Instant::now();
    let answer = request.send().await?;
    let waited = started.elapsed().as_secs_f64() * 1_000.0;
    anyhow::ensure!(
        answer.status().as_u16() == 200,
        "a webhook was answered with {}",
        answer.status()
    );
    Ok(waited)
}
