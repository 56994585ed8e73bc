//! `/audit`: who did what by hand, the newest first.

use axum::Extension;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde::Deserialize;
use store::AuditEntry;

use super::access::Visitor;
use super::layout::Page;
use super::state::Admin;
use super::{layout, words};

/// Entries on a page.
const ENTRIES: usize = 50;

/// Which page is wanted.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    /// The entry that the page ends before; 0 for the page with the newest.
    #[serde(default, deserialize_with = "super::rows::lenient")]
    before: i64,
}

/// `GET /audit`
pub async fn show(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Response {
    let before = (wanted.before > 0).then_some(wanted.before);
    let entries = match admin.app.store.audit().entries(before, ENTRIES).await {
        Ok(entries) => entries,
        Err(error) => return layout::away(&error.to_string(), &headers),
    };
    let page = Page { visitor: Some(&visitor), ..Page::still("Audit log") };
    let content = html! {
        main {
            a.crumb href="/" { "← Dashboard" }
            div.title { h1 { "Audit log" } }
            p.subtitle {
                "What was changed by hand, and every export, in UTC. Entries can't be changed. By SQL: "
                code { "SELECT * FROM audit_log" }
            }
            section aria-label="Entries" { (table(&entries, before)) }
        }
    };
    (StatusCode::OK, layout::page(&page, content)).into_response()
}

fn table(entries: &[AuditEntry], before: Option<i64>) -> Markup {
    let oldest = entries.last().filter(|_| entries.len() == ENTRIES).map(|entry| entry.entry_id);
    html! {
        div.card.table-card {
            @if entries.is_empty() {
                div.empty { strong { "No entries" } "Nothing was changed or exported by hand so far." }
            } @else {
                table.table {
                    thead { tr {
                        th scope="col" { "When" } th scope="col" { "Who" } th scope="col" { "What" }
                        th scope="col" { "Of" } th scope="col" { "Details" }
                    } }
                    tbody { @for entry in entries { (row(entry)) } }
                }
            }
            @if before.is_some() || oldest.is_some() {
                div.pager {
                    span.end {
                        @if before.is_some() { a.button #newest href="/audit" { "Newest" } }
                        @if let Some(oldest) = oldest { a.button #older href={ "/audit?before=" (oldest) } { "Older" } }
                    }
                }
            }
        }
    }
}

fn row(entry: &AuditEntry) -> Markup {
    html! {
        tr {
            td.nowrap { (words::moment(&entry.at)) }
            td {
                (words::short(&entry.actor, 80))
                small { (entry.origin) @if let Some(role) = &entry.role { ", " (role) } }
            }
            td { (words::action(&entry.action)) }
            td {
                @if let Some(batch) = &entry.batch_id { a.mono href={ "/batches/" (batch) } { (batch) } " " }
                @if let Some(provider) = &entry.provider { (provider) }
            }
            td { (entry.details.as_deref().unwrap_or_default()) }
        }
    }
}
