//! What is stuck, and why: each cause once, with how many rows it holds up.

use jobs::{Provider, Timestamp};
use maud::{Markup, html};
use store::{Backlog, BatchOverview, BatchProvider, COUNTED, Overview, ProviderOverview};

use super::words;

/// A result that is out for longer than this is listed.
const LATE: std::time::Duration = std::time::Duration::from_secs(3600);

/// Up to this many batches at their ceilings are named.
const NAMED: usize = 2;

/// One cause.
struct Cause {
    rows: String,
    unit: &'static str,
    class: &'static str,
    word: &'static str,
    title: String,
    detail: String,
}

/// Lists all causes, the largest first; empty if nothing is stuck.
pub fn section(overview: &Overview) -> Markup {
    let causes = causes(overview);
    html! {
        @if !causes.is_empty() {
            section aria-labelledby="stuck" {
                div.section-head {
                    h2 #stuck { "What is stuck, and why" }
                    @if let Some(since) = waiting_since(overview) {
                        p.muted.small { "the oldest has waited " (words::lasting(overview.at.since(since))) }
                    }
                }
                ul.card.stuck {
                    @for cause in causes {
                        li {
                            p.rows { (cause.rows) small { (cause.unit) } }
                            div {
                                p { span class={ "pill " (cause.class) } { (cause.word) } " " b { (cause.title) } }
                                p.muted.small { (cause.detail) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn waiting_since(overview: &Overview) -> Option<Timestamp> {
    overview.providers.iter().filter_map(|p| p.waiting_since).min()
}

fn causes(overview: &Overview) -> Vec<Cause> {
    let mut causes = Vec::new();
    for provider in &overview.providers {
        causes.extend(gate(provider));
        causes.extend(late(provider, overview.at));
    }
    causes.extend(in_vain(&overview.inbox, overview.at));
    causes.extend(ceilings(overview));
    causes.extend(retrying(overview));
    causes
}

/// The rows behind a gate that is not open, or that lets no row through just now.
fn gate(of: &ProviderOverview) -> Option<Cause> {
    let why = of.shut_by.as_ref().or(of.short_of.as_ref())?;
    // Behind an open gate only ceilings hold, and those are causes of their own.
    let held = if of.shut_by.is_some() { of.counts.held } else { 0 };
    let behind = held + of.counts.queued + of.counts.retrying;
    if behind == 0 {
        return None;
    }
    let reason = of.reason.as_deref().filter(|_| of.shut_by.is_some());
    let title = reason.map_or_else(|| "waiting".to_owned(), words::reason);
    Some(Cause {
        rows: words::number(behind),
        unit: if behind == 1 { "row" } else { "rows" },
        class: if of.reason.as_deref() == Some("misconfigured") { "bad" } else { "warn" },
        word: words::state(of.shown_as.as_deref().unwrap_or("queued")),
        title: format!("{}: {title}", words::provider(of.provider)),
        detail: match of.gate {
            "paused" => "until it is resumed, below".to_owned(),
            _ => words::short(why, 300),
        },
    })
}

/// Batches that may not spend more. Behind a shut gate their rows are counted with the gate. A few batches are named;
/// many are one cause.
fn ceilings(overview: &Overview) -> Vec<Cause> {
    let open = overview.providers.iter().filter(|of| of.shut_by.is_none()).map(|of| of.provider);
    open.flat_map(|provider| {
        let at_provider = |batch| at_ceiling(batch, provider).map(|at| (batch, at));
        let full: Vec<_> = overview.batches.iter().filter_map(at_provider).collect();
        if full.len() <= NAMED {
            full.into_iter().map(|(batch, at)| of_batch(batch, at)).collect()
        } else {
            vec![of_many(provider, full.iter().map(|(_, at)| at.counts.held).collect())]
        }
    })
    .collect()
}

fn at_ceiling(batch: &BatchOverview, provider: Provider) -> Option<&BatchProvider> {
    let full = |at: &&BatchProvider| at.provider == provider && at.at_ceiling && at.counts.held > 0;
    batch.providers.iter().find(full)
}

fn of_batch(batch: &BatchOverview, at: &BatchProvider) -> Cause {
    let name = words::short(words::batch(batch), 60);
    let most = at.max_credits.unwrap_or_default().counted();
    Cause {
        rows: words::number(at.counts.held),
        unit: if at.counts.held == 1 { "row" } else { "rows" },
        class: "warn",
        word: "Held",
        title: format!("{}: {name} is at its ceiling", words::provider(at.provider)),
        detail: format!("{most} may be spent at most; an admin may raise it on the batch's page"),
    }
}

fn of_many(provider: Provider, held: Vec<i64>) -> Cause {
    let batches = words::number(held.len() as i64);
    Cause {
        rows: words::number(held.iter().sum()),
        unit: "rows",
        class: "warn",
        word: "Held",
        title: format!("{}: {batches} batches are at their ceilings", words::provider(provider)),
        detail: "an admin may raise each on the batch's page".to_owned(),
    }
}

/// Rows that were refused and are tried again later.
fn retrying(overview: &Overview) -> Vec<Cause> {
    let shut = |provider: &str| {
        overview.providers.iter().any(|p| p.provider.as_str() == provider && p.shut_by.is_some())
    };
    let open = overview.retrying.iter().filter(|group| !shut(&group.provider));
    open.map(|group| {
        let name = match group.provider.parse() {
            Ok(provider) => words::provider(provider),
            Err(_) => group.provider.as_str(),
        };
        let next = group.next_at.filter(|at| *at > overview.at);
        Cause {
            rows: if group.people >= COUNTED {
                format!("{}+", words::number(COUNTED))
            } else {
                words::number(group.people)
            },
            unit: if group.people == 1 { "person" } else { "people" },
            class: "warn",
            word: "Retrying",
            title: format!("{name}: {}", words::reason(&group.reason)),
            detail: next.map_or_else(
                || "asked again now".to_owned(),
                |at| {
                    format!("the first is asked again in {}", words::lasting(at.since(overview.at)))
                },
            ),
        }
    })
    .collect()
}

/// Webhooks that can't be applied: their results are stored, but no row has them.
fn in_vain(inbox: &Backlog, now: Timestamp) -> Option<Cause> {
    let next = inbox.retry_at?;
    let soon = match words::lasting(next.since(now)) {
        _ if next <= now => "now".to_owned(),
        lasting => format!("in {lasting}"),
    };
    Some(Cause {
        rows: words::number(inbox.failing),
        unit: if inbox.failing == 1 { "webhook" } else { "webhooks" },
        class: "bad",
        word: "Awaiting",
        title: "Results came and can't be applied".to_owned(),
        detail: format!("the worker's log says why; they are kept, and tried again {soon}"),
    })
}

/// Results that have been out for long: a webhook may not get through.
fn late(of: &ProviderOverview, now: Timestamp) -> Option<Cause> {
    let oldest = of.oldest_out.filter(|at| now.since(*at) > LATE)?;
    Some(Cause {
        rows: words::number(of.out),
        unit: "requests out",
        class: "busy",
        word: "Awaiting",
        title: format!("{}: results are late", words::provider(of.provider)),
        detail: format!(
            "the oldest was asked for {} ago; see whether webhooks reach WEBHOOK_PUBLIC_URL",
            words::lasting(now.since(oldest))
        ),
    })
}
