//! The login: a browser asks for the token once in a working day.

use std::net::IpAddr;

use axum::Form;
use axum::extract::{FromRequest, Query, Request, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::challenge::PATH;
use super::guard::peer;
use super::layout::{self, Page};
use super::state::Admin;

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

/// `GET /login`
pub async fn form(State(admin): State<Admin>, Query(wanted): Query<Wanted>) -> Response {
    if !admin.access.asks_for_token() {
        return Redirect::to("/").into_response();
    }
    layout::page(&Page::still("Log in"), login_form(&wanted.next, false)).into_response()
}

/// `POST /login`
pub async fn submit(State(admin): State<Admin>, request: Request) -> Response {
    let (headers, peer) = (request.headers().clone(), peer(&request));
    let login = match Form::<Login>::from_request(request, &()).await {
        Ok(Form(login)) => login,
        Err(refused) => return refused.into_response(),
    };
    match begin(&admin, &login, peer, &headers).await {
        Ok(cookie) => ([(SET_COOKIE, cookie)], Redirect::to(own_path(&login.next))).into_response(),
        Err(answer) => answer,
    }
}

async fn begin(
    admin: &Admin,
    login: &Login,
    peer: Option<IpAddr>,
    headers: &HeaderMap,
) -> Result<String, Response> {
    let wrong = || {
        let page = layout::page(&Page::still("Log in"), login_form(&login.next, true));
        (StatusCode::UNAUTHORIZED, page).into_response()
    };
    admin.log_in(&login.token, peer, headers, wrong).await
}

/// `POST /logout`
pub async fn logout(State(admin): State<Admin>, headers: HeaderMap) -> Response {
    ([(SET_COOKIE, admin.log_out(&headers))], Redirect::to(PATH)).into_response()
}

/// Returns the path to go to if it is this site's, else `/`. `//evil.example` and `/\evil.example` are other sites to
/// a browser.
fn own_path(next: &str) -> &str {
    let path = next.strip_prefix('/').filter(|rest| !rest.starts_with(['/', '\\']));
    if path.is_some() && !next.chars().any(char::is_control) { next } else { "/" }
}

fn login_form(next: &str, wrong: bool) -> Markup {
    html! {
        main.narrow {
            section.card.login {
                h1 { "Log in" }
                p.muted { "This dashboard asks for a token: yours, or the " code { "ADMIN_TOKEN" } " of its worker." }
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
