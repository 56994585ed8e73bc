//! Requests to a provider, and its answers.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::{config::LimitConfig, limits::whole_seconds};

/// A request to a provider.
pub(crate) struct Incoming {
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Incoming {
    /// A header's text; an empty one counts as not sent.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().filter(|value| !value.is_empty())
    }
}

/// A provider's answer.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    /// Resolves when the webhook that has to come first has been sent.
    pub(crate) early: Option<oneshot::Receiver<()>>,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: vec![(CONTENT_TYPE.to_string(), "application/json".to_owned())],
            body: body.to_string().into(),
            early: None,
        }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(crate) fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// The `Retry-After` in seconds.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        let (_, value) =
            self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after"))?;
        value.parse().ok()
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in self.headers {
            // Scripts may ask for a header that HTTP can't carry; it is left out.
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name), HeaderValue::try_from(value))
            {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}

/// How an exchange ends.
pub(crate) struct Outcome {
    /// `None` breaks the connection.
    pub(crate) reply: Option<Reply>,
    /// How long the end is put off.
    pub(crate) delay: Duration,
}

impl From<Reply> for Outcome {
    fn from(reply: Reply) -> Self {
        Self { reply: Some(reply), delay: Duration::ZERO }
    }
}

/// A 429 with the headers that the configuration wants it to have.
pub(crate) fn too_many(limits: &LimitConfig, wait: Duration, limit: &str, reply: Reply) -> Reply {
    let reply = reply.header("x-ratelimit-limit", limit);
    if limits.send_retry_after { reply.header("retry-after", whole_seconds(wait)) } else { reply }
}
