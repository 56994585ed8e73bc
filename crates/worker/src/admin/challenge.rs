//! The answers to requests without a valid token.

use axum::http::header::{ACCEPT, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};

use super::live;

/// Where the form is.
pub const PATH: &str = "/login";

/// Sends a browser to the login form; any other client gets the answer that a token is needed.
pub fn ask(uri: &Uri, headers: &HeaderMap) -> Response {
    let html = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let is_page = html.is_some_and(|accept| accept.contains("text/html"));
    if is_page && !live::is_wanted(headers) {
        let next = uri.path_and_query().map_or("/", |path| path.as_str());
        let query: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        return Redirect::to(&format!("{PATH}?next={query}")).into_response();
    }
    unauthorized()
}

/// The answer to a program that sent no valid token.
pub fn unauthorized() -> Response {
    let challenge = [(WWW_AUTHENTICATE, "Bearer realm=\"reveal-queue\"")];
    (StatusCode::UNAUTHORIZED, challenge, "a token is needed, such as ADMIN_TOKEN\n")
        .into_response()
}
