//! What all pages have in common: the frame, the style, and the headers that keep foreign scripts out.

use std::sync::LazyLock;

use axum::http::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::access::Visitor;
use super::access::roles::Action;
use super::live;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("live.js");
/// Three rows of a queue, the first answered.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'%3E%3Crect width='24' height='24' rx='6' fill='%231f58c7'/%3E%3Crect x='5' y='6' width='9' height='2.6' rx='1.3' fill='%23fff'/%3E%3Ccircle cx='18' cy='7.3' r='1.7' fill='%237df0b8'/%3E%3Crect x='5' y='10.7' width='14' height='2.6' rx='1.3' fill='%23fff' opacity='.75'/%3E%3Crect x='5' y='15.4' width='11' height='2.6' rx='1.3' fill='%23fff' opacity='.5'/%3E%3C/svg%3E";

/// The content policy. It names the hashes of the page's own style and script, so only these run: a script hidden in
/// a name or a reason does not.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
});

fn hash(text: &str) -> String {
    BASE64_STANDARD.encode(Sha256::digest(text.as_bytes()))
}

/// A page's frame.
pub struct Page<'a> {
    /// The window's title.
    pub title: &'a str,
    /// `live` or `sandbox`; empty where it doesn't matter.
    pub stamp: &'a str,
    /// Whether the page keeps itself up to date.
    pub live: bool,
    /// The visitor, where the page depends on it.
    pub visitor: Option<&'a Visitor>,
}

impl<'a> Page<'a> {
    /// A page that doesn't update itself.
    pub fn still(title: &'a str) -> Self {
        Page { title, stamp: "", live: false, visitor: None }
    }

    /// Answers with the whole page, or with the part that its script asked for.
    pub fn answer(&self, headers: &HeaderMap, content: Markup) -> Response {
        if live::is_wanted(headers) {
            html! { title { (self.title) " · reveal-queue" } (content) }.into_response()
        } else {
            page(self, content).into_response()
        }
    }
}

/// Puts the frame around a page's content.
pub fn page(page: &Page, content: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (page.title) " · reveal-queue" }
                link rel="icon" href=(ICON);
                style { (PreEscaped(STYLE)) }
            }
            body {
                (header(page))
                (content)
                @if page.live {
                    (footer(page))
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        }
    }
}

fn header(page: &Page) -> Markup {
    html! {
        header.top {
            div {
                a.brand href="/" {
                    img src=(ICON) width="22" height="22" alt="";
                    "reveal-queue"
                }
                @if page.stamp == "sandbox" {
                    span.pill.warn title="Everything here is made up by the bundled sandbox" { "Sandbox" }
                }
                @if page.live {
                    span.end {
                        span #live-status role="status" data-state="" {}
                        button.plain #live-pause type="button" hidden { "Pause" }
                        // Without a script nothing changes by itself.
                        noscript { a href="" { "Refresh" } }
                    }
                }
            }
            @if page.live { p.notice.warn #live-stale role="alert" hidden {} }
        }
    }
}

fn footer(page: &Page) -> Markup {
    html! {
        footer {
            span { "Times are UTC" }
            a href="/metrics" { "Metrics" }
            a href="/readyz" { "Health" }
            span { "reveal-queue " (env!("CARGO_PKG_VERSION")) }
            @if page.visitor.is_some_and(|visitor| visitor.role.may(Action::ReadAuditLog)) {
                a href="/audit" { "Audit log" }
            }
            @if let Some(visitor) = page.visitor.filter(|visitor| visitor.logged_in) {
                (logout_form(visitor))
            }
        }
    }
}

/// A page that says one thing.
pub fn message(title: &str, text: &str) -> Markup {
    let content = html! {
        main.narrow {
            section.card {
                h1 { (title) }
                p.subtitle { (text) }
                p.subtitle { a href="/" { "To the dashboard" } }
            }
        }
    };
    page(&Page::still(title), content)
}

/// The answer while the ledger can't be read. The page tries again by itself.
pub fn away(why: &str, headers: &HeaderMap) -> Response {
    let content = html! {
        main.narrow {
            section.card {
                h1 { "The ledger can't be read" }
                p.subtitle { (why) }
                p.subtitle { "Nothing is lost: work goes on when it is back. This page tries again by itself." }
            }
        }
    };
    let page = Page { live: true, ..Page::still("Away") };
    (StatusCode::SERVICE_UNAVAILABLE, page.answer(headers, content)).into_response()
}

/// Sets the headers that every answer has.
pub async fn headers(mut response: Response) -> Response {
    let policy = HeaderValue::from_str(&POLICY)
        .unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"));
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("content-security-policy"), policy);
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The form that ends a session.
fn logout_form(visitor: &Visitor) -> Markup {
    html! {
        form method="post" action="/logout" {
            span { (visitor.name) " (" (visitor.role) ")" }
            button.plain type="submit" { "Log out" }
        }
    }
}
