//! `/`: everything at a glance, what needs somebody first.

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use jobs::Timestamp;
use maud::{Markup, html};
use store::{BatchOverview, Counts, Overview, WorkerOverview};

use super::actions::Said;
use super::charts::{self, Throughput};
use super::layout::Page;
use super::{Admin, Seen, layout, live, providers, stuck, words};

/// Since when a worker is taken to be gone.
const SILENT: std::time::Duration = std::time::Duration::from_secs(60);

/// `GET /`
pub async fn show(
    State(admin): State<Admin>,
    Query(said): Query<Said>,
    headers: HeaderMap,
) -> Response {
    let seen = match admin.seen().await {
        Ok(seen) => seen,
        Err(why) => return layout::away(&why, &headers),
    };
    let overview = &seen.overview;
    let page = Page {
        title: &title(overview),
        stamp: &overview.stamp,
        live: true,
        session: admin.access.asks_for_token(),
    };
    let plot = Throughput::new(&overview.minutes, overview.at);
    let content = html! {
        main {
            h1.sr { "Dashboard" }
            (said.notice())
            (live::part("summary", summary(overview, &plot)))
            (live::part("stuck", stuck::section(overview)))
            (live::part("providers", providers::section(overview)))
            (live::part("throughput", throughput(&plot)))
            (live::part("batches", batches(&seen)))
            (live::part("workers", workers(overview)))
        }
    };
    page.answer(&headers, content)
}

/// What a tab among many others should say.
fn title(overview: &Overview) -> String {
    let waiting = all(overview).unfinished();
    if waiting > 0 { format!("{} to go", words::number(waiting)) } else { "Dashboard".to_owned() }
}

fn all(overview: &Overview) -> Counts {
    overview.providers.iter().fold(Counts::default(), |mut sum, p| {
        sum.add(&p.counts);
        sum
    })
}

fn summary(overview: &Overview, plot: &Throughput) -> Markup {
    let counts = all(overview);
    let (waiting, out) =
        (counts.queued + counts.retrying + counts.held, counts.sending + counts.awaiting);
    let found =
        counts.hit_rate().map(|rate| format!("{} of rows with a result", words::percent(rate)));
    html! {
        section aria-label="Summary" {
            dl.tiles {
                (tile("Rows waiting", waiting, &waiting_note(&counts)))
                (tile("Results out", out, "asked, no answer yet"))
                (tile("Found", counts.found, found.as_deref().unwrap_or("no results yet")))
                (tile("Results a minute", plot.pace(), &pace_note(&counts, plot)))
            }
        }
    }
}

fn tile(what: &str, n: i64, note: &str) -> Markup {
    html! { div { dt { (what) } dd.big { (words::number(n)) } dd { (note) } } }
}

fn waiting_note(counts: &Counts) -> String {
    match counts.held + counts.retrying {
        0 if counts.queued == 0 => "nobody waits".to_owned(),
        0 => "for their turn".to_owned(),
        stuck => format!("{} of them held up", words::number(stuck)),
    }
}

/// When it is over, if it goes on like this; nothing is promised for what is held.
fn pace_note(counts: &Counts, plot: &Throughput) -> String {
    let (left, pace) = (counts.queued + counts.sending + counts.awaiting, plot.pace());
    if left == 0 || pace == 0 {
        return format!("{} in the last hour", words::number(plot.total()));
    }
    let seconds = u64::try_from(left * 60 / pace).unwrap_or(0);
    format!("done in about {}", words::lasting(std::time::Duration::from_secs(seconds)))
}

fn throughput(plot: &Throughput) -> Markup {
    html! {
        section aria-labelledby="throughput" {
            div.section-head {
                h2 #throughput { "Results a minute" }
                @if plot.total() > 0 {
                    ul.legend {
                        li { span.dot.s-found {} "Found" }
                        li { span.dot.s-not_found {} "Not found" }
                        li { b { (words::number(plot.total())) } " in the last hour" }
                    }
                }
            }
            @if plot.total() > 0 {
                (plot.plot())
            } @else {
                div.card.empty { strong { "No results in the last hour" } "Each minute's results are drawn here as they come." }
            }
        }
    }
}

fn batches(seen: &Seen) -> Markup {
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
                        li.muted.small { "… and " (words::number(unlisted)) " older: " code { "enqueue status" } " lists them all." }
                    }
                }
            }
        }
    }
}

fn batch_item(batch: &BatchOverview, seen: &Seen) -> Markup {
    let counts = batch.counts();
    let name = batch.name.as_deref().unwrap_or(&batch.batch_id);
    html! {
        li {
            div.batch-head {
                h3 { a href={ "/batches/" (batch.batch_id) } { (words::short(name, 120)) } }
                (batch_pill(batch))
                span.end { (done(batch.total, &counts)) " · " (batch_age(batch, seen.overview.at)) }
            }
            (charts::progress(&counts))
            (charts::legend(&counts))
            (spending(batch))
            @for line in seen.held.get(&batch.batch_id).into_iter().flatten() {
                p.why-held { (words::short(line, 240)) }
            }
        }
    }
}

/// How a batch stands, in a word.
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
                    (words::count(counts.credits_spent, "credit")) " spent"
                    @if counts.credits_reserved > 0 { " · " (words::number(counts.credits_reserved)) " reserved" }
                    @if let Some(most) = at.max_credits { " · ceiling " (words::number(most)) }
                }
            }
        }
    }
}

fn workers(overview: &Overview) -> Markup {
    html! {
        section aria-labelledby="workers" {
            div.section-head {
                h2 #workers { "Workers" }
                @if overview.inbox.0 > 0 {
                    p.muted.small { (words::count(overview.inbox.0, "webhook")) " to be applied" }
                }
            }
            div.card.table-card {
                table.table {
                    thead { tr {
                        th scope="col" { "Machine" } th scope="col" { "Does" } th scope="col" { "Version" }
                        th scope="col" { "Up for" } th.num scope="col" { "Last heard of" }
                    } }
                    tbody { @for worker in &overview.workers { (worker_row(worker, overview.at)) } }
                }
            }
        }
    }
}

fn worker_row(worker: &WorkerOverview, now: Timestamp) -> Markup {
    let silent = now.since(worker.heartbeat_at) > SILENT;
    let does = match worker.role.as_str() {
        "all" => "Webhooks and jobs",
        "webhooks" => "Webhooks",
        _ => "Jobs",
    };
    html! {
        tr {
            td { (worker.host) " " span.muted { "process " (worker.pid) } }
            td { (does) }
            td data-label="Version" { (worker.version) }
            td data-label="Up for" { (words::lasting(now.since(worker.started_at))) }
            td.num data-label="Heard of" {
                @if silent { span.pill.bad { "silent for " (words::lasting(now.since(worker.heartbeat_at))) } }
                @else { (words::ago(now, worker.heartbeat_at)) }
            }
        }
    }
}
