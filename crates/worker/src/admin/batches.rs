//! Batches, one page at a time: running batches first, then the newest.

use axum::Extension;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use jobs::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;
use store::{BatchOverview, Counts};

use super::access::Visitor;
use super::layout::Page;
use super::state::{Admin, MOST_BATCHES, Seen};
use super::{charts, layout, live, words};

/// Which page is wanted.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    #[serde(default, deserialize_with = "super::rows::lenient")]
    page: i64,
}

/// `GET /batches`
pub async fn show(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Response {
    let seen = match admin.seen().await {
        Ok(seen) => seen,
        Err(why) => return layout::away(&why, &headers),
    };
    let pages = seen.overview.batch_count.max(1).unsigned_abs().div_ceil(MOST_BATCHES as u64);
    let number = wanted.page.unsigned_abs().clamp(1, pages) as usize;
    let batches = match admin.batches(number).await {
        Ok(batches) => batches,
        Err(why) => return layout::away(&why, &headers),
    };
    let page =
        Page { title: "Batches", stamp: &seen.overview.stamp, live: true, visitor: Some(&visitor) };
    let content = html! {
        main {
            a.crumb href="/" { "← Dashboard" }
            div.title { h1 { "Batches" } }
            (live::part("batches", listed(&batches, number, &seen)))
        }
    };
    page.answer(&headers, content)
}

fn listed(batches: &[BatchOverview], number: usize, seen: &Seen) -> Markup {
    let before = ((number - 1) * MOST_BATCHES) as i64;
    let (last, all) = (before + batches.len() as i64, seen.overview.batch_count);
    html! {
        section aria-label="Batches" {
            ul.card.batches {
                @for batch in batches { (batch_item(batch, seen)) }
                li.pager {
                    @if batches.is_empty() { "No more batches" }
                    @else { (words::number(before + 1)) " to " (words::number(last)) " of " (words::number(all)) }
                    span.end {
                        @if number > 1 { a.button #newer href=(address(number - 1)) { "Newer" } }
                        @if last < all && !batches.is_empty() { a.button #older href=(address(number + 1)) { "Older" } }
                    }
                }
            }
        }
    }
}

fn address(page: usize) -> String {
    if page <= 1 { "/batches".to_owned() } else { format!("/batches?page={page}") }
}

/// The batches of the front page.
pub fn section(seen: &Seen) -> Markup {
    let overview = &seen.overview;
    let unlisted = overview.batch_count - overview.batches.len() as i64;
    html! {
        section aria-labelledby="batches" {
            div.section-head {
                h2 #batches { "Batches" }
                @if overview.batch_count > 0 {
                    p.muted.small { (words::number(overview.open_batches)) " running, " (words::number(overview.batch_count)) " in all" }
                }
            }
            @if overview.batches.is_empty() {
                div.card.empty {
                    strong { "Nothing submitted yet" }
                    "A file of people becomes a batch, and shows up here within a second."
                    div { code { "enqueue submit people.csv" } }
                }
            } @else {
                ul.card.batches {
                    @for batch in &overview.batches { (batch_item(batch, seen)) }
                    @if unlisted > 0 {
                        li.pager {
                            "1 to " (words::number(overview.batches.len() as i64)) " of " (words::number(overview.batch_count))
                            span.end { a.button #older href=(address(2)) { "Older" } }
                        }
                    }
                }
            }
        }
    }
}

/// A line: its name, its state, its progress, and what holds it up or when it was submitted.
fn batch_item(batch: &BatchOverview, seen: &Seen) -> Markup {
    let counts = batch.counts();
    let age = batch_age(batch, seen.overview.at);
    let note = seen.why(batch).next().unwrap_or(&age);
    html! {
        li.batch id={ "batch-" (batch.batch_id) } {
            a.name href={ "/batches/" (batch.batch_id) } { (words::short(words::batch(batch), 120)) }
            (batch_pill(batch))
            (charts::progress(&counts))
            span.done { (done(batch.total, &counts)) }
            span.note title=(words::short(note, 240)) { (words::short(note, 240)) }
        }
    }
}

/// The state of a batch, in a word.
pub fn batch_pill(batch: &BatchOverview) -> Markup {
    let counts = batch.counts();
    let (class, word) = if counts.unfinished() == 0 {
        if batch.cancelled { ("", "Cancelled") } else { ("good", "Finished") }
    } else if batch.cancelled {
        ("", "Being cancelled")
    } else if counts.held == counts.unfinished() {
        ("warn", "Held")
    } else {
        ("busy", "Running")
    };
    html! { span class={ "pill " (class) } { (word) } }
}

/// `820 of 1,286 (63 %)`
pub fn done(total: i64, counts: &Counts) -> String {
    let finished = counts.finished();
    if finished >= total {
        return words::count(total, "row");
    }
    let share = finished as f64 / total.max(1) as f64;
    format!(
        "{} of {} ({})",
        words::number(finished),
        words::count(total, "row"),
        words::percent(share)
    )
}

/// When it began, or ended.
pub fn batch_age(batch: &BatchOverview, now: Timestamp) -> String {
    match batch.finished_at {
        Some(at) => format!("finished {}", words::ago(now, at)),
        None => format!("submitted {}", words::ago(now, batch.created_at)),
    }
}

/// Hits and credits of each provider, in its own currency.
pub fn spending(batch: &BatchOverview) -> Markup {
    html! {
        ul.spend {
            @for at in &batch.providers {
                @let counts = &at.counts;
                li {
                    b { (words::provider(at.provider)) } " "
                    @if counts.people_asked > 0 {
                        (words::percent(counts.people_found as f64 / counts.people_asked as f64))
                        " of " (words::number(counts.people_asked)) " asked found · "
                    }
                    (counts.credits_spent.counted()) " spent"
                    @if counts.credits_looked_up.is_positive() { ", " (counts.credits_looked_up.grouped()) " of them by lookups" }
                    @if counts.credits_reserved.is_positive() { " · " (counts.credits_reserved.grouped()) " reserved" }
                    @if let Some(most) = at.max_credits { " · ceiling " (most.grouped()) }
                }
            }
        }
    }
}
