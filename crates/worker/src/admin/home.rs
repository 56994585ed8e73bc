//! `/`: everything at a glance, first what a person has to act on.

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use jobs::Timestamp;
use maud::{Markup, html};
use store::{Counts, Overview, WorkerOverview};

use super::access::Visitor;
use super::charts::Throughput;
use super::layout::Page;
use super::notice::Notice;
use super::state::Admin;
use super::{batches, layout, live, providers, stuck, words};

/// How long a worker may be silent before it counts as gone.
const SILENT: std::time::Duration = std::time::Duration::from_secs(60);

/// `GET /`
pub async fn show(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
) -> Response {
    let seen = match admin.seen().await {
        Ok(seen) => seen,
        Err(why) => return layout::away(&why, &headers),
    };
    let (overview, notice) = (&seen.overview, Notice::of(&headers));
    let page = Page {
        title: &title(overview),
        stamp: &overview.stamp,
        live: true,
        visitor: Some(&visitor),
    };
    let plot = Throughput::new(&overview.minutes, overview.at);
    let content = html! {
        main {
            h1.sr { "Dashboard" }
            (Notice::shown(notice))
            (live::part("gone", gone(overview)))
            (live::part("summary", summary(overview, &plot)))
            (live::part("stuck", stuck::section(overview)))
            (live::part("providers", providers::section(overview, visitor.role)))
            (live::part("batches", batches::section(&seen)))
            (live::part("throughput", throughput(&plot)))
            (live::part("workers", workers(overview)))
        }
    };
    Notice::said(notice, &headers, page.answer(&headers, content))
}

/// Says that no process sends requests, and since when: all figures are of that time.
fn gone(overview: &Overview) -> Markup {
    let works = |worker: &WorkerOverview| {
        worker.role != "webhooks" && overview.at.since(worker.heartbeat_at) <= SILENT
    };
    if overview.workers.iter().any(works) {
        return html! {};
    }
    html! {
        p.notice.warn.gone role="status" {
            @match overview.worked_at {
                Some(at) => {
                    "No worker has sent requests since " (words::moment(&at.iso8601())) " UTC ("
                    (words::ago(overview.at, at)) "). What is shown is of that time; start worker."
                }
                None => "No worker has sent requests so far: start worker.",
            }
        }
    }
}

/// The window's title, for a tab among many others.
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
    let found = format!("of {} finished", words::count(counts.finished(), "row"));
    html! {
        section aria-label="Summary" {
            dl.tiles {
                (tile("Rows waiting", waiting, &waiting_note(&counts)))
                (tile("Results out", out, "asked, no answer yet"))
                (tile("Found", counts.found, &found))
                (tile("Results a minute", plot.pace(), &pace_note(overview, plot)))
            }
        }
    }
}

fn tile(what: &str, n: i64, note: &str) -> Markup {
    html! { div { dt { (what) } dd.big { (words::number(n)) } dd { (note) } } }
}

fn waiting_note(counts: &Counts) -> String {
    match counts.held + counts.retrying {
        0 if counts.queued == 0 => "no person waits".to_owned(),
        0 => "to be asked".to_owned(),
        stuck => format!("{} of them held up", words::number(stuck)),
    }
}

/// Says when the queue is done at the current speed, which is when its slowest provider is done. Held rows are left
/// out, and there is no estimate while a provider sends no results.
fn pace_note(overview: &Overview, plot: &Throughput) -> String {
    let mut longest = 0;
    for of in &overview.providers {
        let left = of.counts.queued + of.counts.sending + of.counts.awaiting;
        match plot.pace_of(of.provider) {
            _ if left == 0 => {}
            0 => longest = i64::MAX,
            pace => longest = longest.max(left.saturating_mul(60) / pace),
        }
    }
    if longest == 0 || longest == i64::MAX {
        return format!("{} in the last hour", words::number(plot.total()));
    }
    let left = std::time::Duration::from_secs(longest.unsigned_abs());
    match all(overview).held {
        0 => format!("done in about {}", words::lasting(left)),
        _ => format!("about {} for what isn't held", words::lasting(left)),
    }
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

fn workers(overview: &Overview) -> Markup {
    html! {
        section aria-labelledby="workers" {
            div.section-head {
                h2 #workers { "Workers" }
                @if overview.inbox.waiting > 0 {
                    p.muted.small { (words::count(overview.inbox.waiting, "webhook")) " to be applied" }
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
