//! `/batches/{id}`: a batch's numbers, its rows, and what can be done with it.

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use store::{BatchOverview, BatchRef, StoreError};

use super::access::Visitor;
use super::access::roles::{Action, Role};
use super::batches::{batch_age, batch_pill, done, spending};
use super::layout::Page;
use super::notice::Notice;
use super::rows::{self, Wanted};
use super::state::{Admin, Seen};
use super::{charts, layout, live, words};

/// `GET /batches/{id}`
pub async fn show(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
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
    let shown = match admin.rows(&reference, wanted.after, wanted.state()).await {
        Ok(shown) => shown,
        Err(why) => return layout::away(&why, &headers),
    };
    let title = words::short(words::batch(&batch), 80);
    let page =
        Page { title: &title, stamp: &seen.overview.stamp, live: true, visitor: Some(&visitor) };
    let (notice, role) = (Notice::of(&headers), visitor.role);
    let content = html! {
        main {
            (Notice::shown(notice))
            a.crumb href="/" { "← Dashboard" }
            (live::part("head", head(&batch, &seen, &title)))
            (live::part("actions", actions(&batch, role)))
            (live::part("progress", progress(&batch, &seen)))
            (live::part("rows", rows::section(&batch, &wanted, &shown, role)))
        }
    };
    Notice::said(notice, &headers, page.answer(&headers, content))
}

/// Finds a batch. A batch on the overview is taken from there; any other is read.
pub async fn find(
    admin: &Admin,
    seen: &Seen,
    id: &str,
) -> Result<(BatchRef, BatchOverview), StoreError> {
    let reference = admin.app.store.reports().find_batch(id).await?;
    let name = reference.batch_id.to_string();
    if let Some(batch) = seen.overview.batches.iter().find(|batch| batch.batch_id == name) {
        return Ok((reference, batch.clone()));
    }
    let batch = admin.app.store.reports().batch_overview(&reference).await?;
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

fn actions(batch: &BatchOverview, role: Role) -> Markup {
    let counts = batch.counts();
    let path = format!("/batches/{}", batch.batch_id);
    let can_be_set = counts.unfinished() > 0 && role.may(Action::SetCeiling);
    let ceilings = batch.providers.iter().filter(|at| at.max_credits.is_some() && can_be_set);
    html! {
        div.actions {
            @if role.may(Action::Export) {
                a.button #csv href={ (path) "/export.csv" } download { "Export CSV" }
                a.button #jsonl href={ (path) "/export.jsonl" } download { "Export JSON Lines" }
            }
            @if counts.failed > 0 && role.may(Action::Retry) {
                form method="post" action={ (path) "/retry" } {
                    button #retry type="submit" { "Retry " (words::number(counts.failed)) " failed" }
                }
            }
            @if counts.unfinished() > 0 && !batch.cancelled && role.may(Action::Cancel) {
                a.button.danger #cancel href={ (path) "/cancel" } { "Cancel batch…" }
            }
            @for at in ceilings {
                form method="post" action={ (path) "/ceiling" } {
                    input type="hidden" name="provider" value=(at.provider);
                    div {
                        label for={ "ceiling-" (at.provider) } { "Ceiling at " (words::provider(at.provider)) }
                        input id={ "ceiling-" (at.provider) } type="number" inputmode="decimal" step="any" name="max_credits"
                            min="0" required value=[at.max_credits];
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
                @if let Some(rate) = counts.hit_rate().filter(|_| counts.unfinished() == 0) {
                    span.end { (words::percent(rate)) " of rows with a result have a number" }
                }
            }
            (charts::progress(&counts))
            (charts::legend(&counts))
            (spending(batch))
            @for line in seen.why(batch) {
                p.why-held { (words::short(line, 300)) }
            }
        }
    }
}
