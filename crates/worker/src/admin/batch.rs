//! `/batches/{id}`: a batch's numbers, its rows, and what can be done with it.

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde::Deserialize;
use store::{BatchOverview, BatchRef, Counts, RowPage, ShownRow, StoreError, is_shown_state};

use super::actions::Said;
use super::home::{batch_age, batch_pill, done, spending};
use super::layout::Page;
use super::{Admin, Seen, charts, layout, live, words};

/// Rows on a page.
pub const ROWS: usize = 50;

/// Which rows are wanted.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Wanted {
    state: Option<String>,
    /// The row that the page begins after.
    #[serde(default, deserialize_with = "lenient")]
    after: i64,
}

/// What a person typed into the address is no reason for an error page.
fn lenient<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    Ok(String::deserialize(deserializer)?.trim().parse().unwrap_or(0).max(0))
}

impl Wanted {
    fn state(&self) -> Option<&str> {
        self.state.as_deref().filter(|state| is_shown_state(state))
    }
}

/// `GET /batches/{id}`
pub async fn show(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
    Query(said): Query<Said>,
    headers: HeaderMap,
) -> Response {
    let seen = match admin.seen().await {
        Ok(seen) => seen,
        Err(why) => return layout::away(&why, &headers),
    };
    let (reference, batch) = match find(&admin, &seen, &id).await {
        Ok(found) => found,
        Err(error) => return not_found(&error),
    };
    let rows = match admin.rows(&reference, wanted.after, wanted.state()).await {
        Ok(rows) => rows,
        Err(why) => return layout::away(&why, &headers),
    };
    let title = words::short(batch.name.as_deref().unwrap_or(&batch.batch_id), 80);
    let page = Page {
        title: &title,
        stamp: &seen.overview.stamp,
        live: true,
        session: admin.access.asks_for_token(),
    };
    let content = html! {
        main {
            (said.notice())
            a.crumb href="/" { "← All batches" }
            (live::part("head", head(&batch, &seen, &title)))
            (live::part("actions", actions(&batch)))
            (live::part("progress", progress(&batch, &seen)))
            (live::part("rows", rows_section(&batch, &wanted, &rows)))
        }
    };
    page.answer(&headers, content)
}

/// Those that the overview lists are known; others are read.
pub async fn find(
    admin: &Admin,
    seen: &Seen,
    id: &str,
) -> Result<(BatchRef, BatchOverview), StoreError> {
    let reference = admin.app.store.find_batch(id).await?;
    let name = reference.batch_id.to_string();
    if let Some(batch) = seen.overview.batches.iter().find(|batch| batch.batch_id == name) {
        return Ok((reference, batch.clone()));
    }
    let batch = admin.app.store.batch_overview(&reference).await?;
    let batch = batch.ok_or_else(|| StoreError::NotFound(format!("there is no batch {name}")))?;
    Ok((reference, batch))
}

/// The page for an address that names no batch.
pub fn not_found(error: &StoreError) -> Response {
    let status = match error {
        StoreError::NotFound(_) => StatusCode::NOT_FOUND,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, layout::message("No such batch", &error.to_string())).into_response()
}

fn head(batch: &BatchOverview, seen: &Seen, title: &str) -> Markup {
    html! {
        div.title { h1 { (title) } (batch_pill(batch)) }
        p.subtitle {
            span.mono { (batch.batch_id) } " · " (batch_age(batch, seen.overview.at))
        }
    }
}

fn actions(batch: &BatchOverview) -> Markup {
    let counts = batch.counts();
    let path = format!("/batches/{}", batch.batch_id);
    html! {
        div.actions {
            a.button #csv href={ (path) "/export.csv" } download { "Export CSV" }
            a.button #jsonl href={ (path) "/export.jsonl" } download { "Export JSON Lines" }
            @if counts.failed > 0 {
                form method="post" action={ (path) "/retry" } {
                    button #retry type="submit" { "Retry " (words::number(counts.failed)) " failed" }
                }
            }
            @if counts.unfinished() > 0 && !batch.cancelled {
                a.button.danger #cancel href={ (path) "/cancel" } { "Cancel batch…" }
            }
            @for at in batch.providers.iter().filter(|at| at.max_credits.is_some() && counts.unfinished() > 0) {
                form method="post" action={ (path) "/ceiling" } {
                    input type="hidden" name="provider" value=(at.provider);
                    div {
                        label for={ "ceiling-" (at.provider) } { "Ceiling at " (words::provider(at.provider)) }
                        input id={ "ceiling-" (at.provider) } type="number" inputmode="numeric" name="max_credits"
                            min="1" required value=[at.max_credits];
                    }
                    button type="submit" { "Set" }
                }
            }
        }
    }
}

fn progress(batch: &BatchOverview, seen: &Seen) -> Markup {
    let counts = batch.counts();
    html! {
        section.card.progress aria-label="Progress" {
            div.batch-head {
                h2 { (done(batch.total, &counts)) }
                @if let Some(rate) = counts.hit_rate() {
                    span.end { (words::percent(rate)) " of rows with a result have a number" }
                }
            }
            (charts::progress(&counts))
            (charts::legend(&counts))
            (spending(batch))
            @for line in seen.held.get(&batch.batch_id).into_iter().flatten() {
                p.why-held { (words::short(line, 300)) }
            }
        }
    }
}

fn rows_section(batch: &BatchOverview, wanted: &Wanted, page: &RowPage) -> Markup {
    let counts = batch.counts();
    html! {
        section aria-labelledby="rows" {
            div.section-head {
                h2 #rows { "Rows" }
                p.muted.small { "Numbers are masked here; the export has them." }
            }
            (chips(batch, &counts, wanted))
            div.card.table-card {
                @if page.rows.is_empty() {
                    (no_rows(wanted, page))
                } @else {
                    table.table.rows {
                        thead { tr {
                            th scope="col" { "Row" } th scope="col" { "Person" } th scope="col" { "State" }
                            th scope="col" { "Numbers" } th.num scope="col" { "Credits" } th.num scope="col" { "Updated" }
                        } }
                        tbody { @for row in &page.rows { (row_of(row)) } }
                    }
                }
                (pager(batch, wanted, page))
            }
        }
    }
}

fn chips(batch: &BatchOverview, counts: &Counts, wanted: &Wanted) -> Markup {
    let chip = |state: Option<&str>, word: &str, n: i64| {
        let current = (wanted.state() == state).then_some("true");
        html! {
            a href=(address(batch, state, 0)) aria-current=[current] { (word) span { (words::number(n)) } }
        }
    };
    html! {
        nav.chips aria-label="States" {
            (chip(None, "All", batch.total))
            @for (state, n) in counts.by_state() {
                @if n > 0 || wanted.state() == Some(state) { (chip(Some(state), words::state(state), n)) }
            }
        }
    }
}

fn no_rows(wanted: &Wanted, page: &RowPage) -> Markup {
    let state = wanted.state().map(words::state).unwrap_or_default().to_lowercase();
    html! {
        div.empty {
            @if let Some(row) = page.next_after {
                strong { "None so far" }
                "No row is " (state) " up to row " (words::number(row)) "; there are more to look through."
            } @else if state.is_empty() {
                strong { "No more rows" }
            } @else {
                strong { "No row is " (state) }
                "Rows change their state while a batch runs."
            }
        }
    }
}

fn row_of(row: &ShownRow) -> Markup {
    let class = match row.state.as_str() {
        "found" => "good",
        "failed" => "bad",
        "held" | "retrying" | "expired" => "warn",
        "awaiting" | "sending" => "busy",
        _ => "",
    };
    html! {
        tr {
            td.no.muted { (words::number(row.row_number)) }
            td.person { (person(row)) @if let Some(provider) = &row.provider { small { (provider) } } }
            td.state {
                span class={ "pill " (class) } { (words::state(&row.state)) }
                @if let Some(reason) = &row.reason { small { (words::reason(reason)) } }
                @if let Some(at) = &row.next_attempt_at { small { "next " (words::moment(at)) } }
            }
            td.phones { @for phone in &row.phones { div.nowrap { (phone) } } }
            td.num.credits data-label="Credits" { (words::number(row.credits)) @if row.shared { small { "shared" } } }
            td.num.updated.muted data-label="Updated" { @if let Some(at) = &row.updated_at { (words::moment(at)) } }
        }
    }
}

/// Who it is, without what all addresses begin with.
fn person(row: &ShownRow) -> String {
    let person = row.person.as_deref().unwrap_or("–");
    words::short(person.strip_prefix("https://www.").unwrap_or(person), 80)
}

fn pager(batch: &BatchOverview, wanted: &Wanted, page: &RowPage) -> Markup {
    html! {
        div.pager {
            @if let (Some(first), Some(last)) = (page.rows.first(), page.rows.last()) {
                "Rows " (words::number(first.row_number)) " to " (words::number(last.row_number))
            }
            span.end {
                @if wanted.after > 0 { a.button href=(address(batch, wanted.state(), 0)) { "To the first" } }
                @if let Some(after) = page.next_after {
                    a.button href=(address(batch, wanted.state(), after)) {
                        @if page.rows.len() < ROWS { "Look further" } @else { "Next" }
                    }
                }
            }
        }
    }
}

fn address(batch: &BatchOverview, state: Option<&str>, after: i64) -> String {
    let mut query = Vec::new();
    query.extend(state.map(|state| format!("state={state}")));
    query.extend((after > 0).then(|| format!("after={after}")));
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    format!("/batches/{}{query}", batch.batch_id)
}
