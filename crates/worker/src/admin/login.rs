//! The token, asked for once a browser.

use axum::Form;
use axum::extract::{Query, State};
use axum::http::header::{ACCEPT, SET_COOKIE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::access::COOKIE_NAME;
use super::layout::{self, Page};
use super::{Admin, live};

/// Where the form is.
pub const PATH: &str = "/login";
/// How long a wrong token is left without an answer: nobody types faster, and a list of guesses
/// takes ages.
const WRONG_TOKEN_WAITS: std::time::Duration = std::time::Duration::from_millis(500);
/// A session's longest life, in seconds.
const SESSION_LIFE: u32 = 7 * 24 * 3600;

/// Where to go after the login.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    #[serde(default)]
    next: String,
}

/// What the form sends. Has no `Debug`: the token is a secret.
#[derive(Deserialize)]
pub struct Login {
    token: String,
    #[serde(default)]
    next: String,
}

/// Sends a browser to the form; everything else learns what is missing.
pub fn ask(uri: &Uri, headers: &HeaderMap) -> Response {
    let html = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let is_page = html.is_some_and(|accept| accept.contains("text/html"));
    if is_page && !live::is_wanted(headers) {
        let next = uri.path_and_query().map_or("/", |path| path.as_str());
        let query: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        return Redirect::to(&format!("{PATH}?next={query}")).into_response();
    }
    let challenge = [(WWW_AUTHENTICATE, "Bearer realm=\"reveal-queue\"")];
    (StatusCode::UNAUTHORIZED, challenge, "the ADMIN_TOKEN is needed\n").into_response()
}

/// `GET /login`
pub async fn form(State(admin): State<Admin>, Query(wanted): Query<Wanted>) -> Response {
    if !admin.access.asks_for_token() {
        return Redirect::to("/").into_response();
    }
    layout::page(&Page::still("Log in"), login_form(&wanted.next, false)).into_response()
}

/// `POST /login`
pub async fn submit(State(admin): State<Admin>, Form(login): Form<Login>) -> Response {
    let session = admin.access.session().filter(|_| admin.access.is_token(login.token.trim()));
    let Some(session) = session else {
        tracing::warn!("a login to the dashboard with a wrong token");
        tokio::time::sleep(WRONG_TOKEN_WAITS).await;
        let page = layout::page(&Page::still("Log in"), login_form(&login.next, true));
        return (StatusCode::UNAUTHORIZED, page).into_response();
    };
    let cookie = format!(
        "{COOKIE_NAME}={session}; Path=/; HttpOnly; SameSite=Strict; Max-Age={SESSION_LIFE}"
    );
    ([(SET_COOKIE, cookie)], Redirect::to(own_path(&login.next))).into_response()
}

/// `POST /logout`
pub async fn logout() -> Response {
    let cookie = format!("{COOKIE_NAME}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    ([(SET_COOKIE, cookie)], Redirect::to(PATH)).into_response()
}

/// `//evil.example` and `/\evil.example` are other sites to a browser.
fn own_path(next: &str) -> &str {
    let path = next.strip_prefix('/').filter(|rest| !rest.starts_with(['/', '\\']));
    if path.is_some() && !next.chars().any(char::is_control) { next } else { "/" }
}

fn login_form(next: &str, wrong: bool) -> Markup {
    html! {
        main.narrow {
            section.card.login {
                h1 { "Log in" }
                p.muted { "This dashboard is open to the network, so it asks for the " code { "ADMIN_TOKEN" } " of its worker." }
                @if wrong { p.notice.bad role="alert" { "That is not the token." } }
                form method="post" action=(PATH) {
                    input type="hidden" name="next" value=(next);
                    label for="token" { "Token" }
                    input #token type="password" name="token" autocomplete="current-password" required autofocus;
                    button.primary type="submit" { "Log in" }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn a_login_leads_to_this_site_only() {
        assert_eq!(own_path("/batches/01J?state=held"), "/batches/01J?state=held");
        for foreign in
            ["//evil.example", "/\\evil.example", "https://evil.example", "", "/\t/evil.example"]
        {
            assert_eq!(own_path(foreign), "/", "{foreign:?}");
        }
    }
}
