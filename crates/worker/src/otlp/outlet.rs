use std::sync::atomic::{AtomicBool, Ordering};

use prost::Message;
use reqwest::header::CONTENT_TYPE;

use super::settings::Target;

/// Sends the messages of one signal. What can't be sent is dropped. The log says once when that begins, and once when it ends.
#[derive(Debug)]
pub(super) struct Outlet {
    http: reqwest::Client,
    target: Target,
    signal: &'static str,
    failing: AtomicBool,
}

impl Outlet {
    pub(super) fn new(target: Target, signal: &'static str) -> Result<Self, reqwest::Error> {
        let http = providers::http::client(target.timeout)?;
        Ok(Outlet { http, target, signal, failing: AtomicBool::new(false) })
    }

    /// Sends a message once.
    pub(super) async fn send(&self, message: &impl Message) {
        let result = self.post(message.encode_to_vec()).await;
        let signal = self.signal;
        let failed_before = self.failing.swap(result.is_err(), Ordering::Relaxed);
        match result {
            Err(error) if !failed_before => {
                let error = format!("{error:#}");
                tracing::warn!(
                    signal,
                    error,
                    "telemetry can't be sent; it is dropped until it can"
                );
            }
            Ok(()) if failed_before => tracing::info!(signal, "telemetry is sent again"),
            _ => {}
        }
    }

    async fn post(&self, body: Vec<u8>) -> anyhow::Result<()> {
        let request = self
            .http
            .post(self.target.url.clone())
            .headers(self.target.headers.clone())
            .header(CONTENT_TYPE, "application/x-protobuf")
            .body(body);
        // The address may hold a password.
        let response = request.send().await.map_err(reqwest::Error::without_url)?;
        anyhow::ensure!(response.status().is_success(), "HTTP {}", response.status().as_u16());
        Ok(())
    }
}
