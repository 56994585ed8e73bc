//! The state of each provider: its gate first, then its requests and credits.

use jobs::Credits;
use maud::{Markup, html};
use store::{COUNTED, Overview, ProviderOverview};

use super::access::roles::{Action, Role};
use super::words;

/// A card for each provider.
pub fn section(overview: &Overview, role: Role) -> Markup {
    html! {
        section aria-labelledby="providers" {
            div.section-head { h2 #providers { "Providers" } }
            div.providers {
                @for provider in &overview.providers { (card(provider, overview, role)) }
            }
        }
    }
}

fn card(of: &ProviderOverview, overview: &Overview, role: Role) -> Markup {
    html! {
        article.card.provider id={ "provider-" (of.provider) } {
            header {
                h3 { (words::provider(of.provider)) }
                (gate(of))
                (switch(of, role))
            }
            (why(of))
            dl.facts {
                (fact("Credits left", &credits(of), &checked(of, overview)))
                (fact("Reserved", &of.counts.credits_reserved.grouped(), "for results that are out"))
                (fact("Spent", &of.counts.credits_spent.grouped(), ""))
                (fact("Requests out", &out(of), &oldest(of, overview)))
                (fact("Requests today", &words::number(of.requests_today), &requests_left(of)))
                (fact("Rate", &of.rate.map_or("–".into(), words::rate), &slowed(of)))
            }
        }
    }
}

fn gate(of: &ProviderOverview) -> Markup {
    let off = matches!(of.reason.as_deref(), Some("no_key" | "no_webhook_url"));
    let (class, word) = match of.gate {
        "open" => ("good", "Open"),
        "paused" => ("", "Paused"),
        "probing" => ("warn", "Probing"),
        _ if off => ("", "Off"),
        _ if of.reason.as_deref() == Some("misconfigured") => ("bad", "Closed"),
        _ => ("warn", "Closed"),
    };
    html! { span class={ "pill gate " (class) } { (word) } }
}

/// The button that pauses or resumes a provider. A gate that is closed for a refused set-up or for a time is opened
/// by hand, too.
fn switch(of: &ProviderOverview, role: Role) -> Markup {
    let off = matches!(of.reason.as_deref(), Some("no_key" | "no_webhook_url"));
    let (action, verb, word) = match of.gate {
        "open" => (Action::Pause, "pause", "Pause"),
        "closed" if off => return html! {},
        "closed" => (Action::Resume, "resume", "Try now"),
        "paused" => (Action::Resume, "resume", "Resume"),
        _ => (Action::Pause, "pause", "Pause"),
    };
    if !role.may(action) {
        return html! {};
    }
    html! {
        form method="post" action={ "/providers/" (of.provider) "/" (verb) } {
            button type="submit" id={ (verb) "-" (of.provider) } { (word) span.sr { " " (words::provider(of.provider)) } }
        }
    }
}

fn why(of: &ProviderOverview) -> Markup {
    if of.gate == "paused" {
        return html! { p.why.loud { "Paused by hand. What is out is still received." } };
    }
    match of.shut_by.as_ref().or(of.short_of.as_ref()) {
        Some(text) => html! { p.why.loud { (words::short(text, 300)) } },
        None if of.counts.held > 0 && of.counts.unfinished() == of.counts.held => {
            html! { p.why { "Ready; those who wait are held by a batch's ceiling." } }
        }
        None if of.counts.unfinished() > 0 => {
            html! { p.why { "Requests go out as fast as the rate allows." } }
        }
        None => html! { p.why { "Ready; no person waits." } },
    }
}

fn fact(what: &str, value: &str, note: &str) -> Markup {
    html! { div { dt { (what) } dd { (value) @if !note.is_empty() { small { (note) } } } } }
}

fn credits(of: &ProviderOverview) -> String {
    of.credits_left.map_or_else(|| "unknown".into(), Credits::grouped)
}

fn checked(of: &ProviderOverview, overview: &Overview) -> String {
    of.credits_checked_at.map_or_else(
        || "not asked yet".into(),
        |at| format!("asked {}", words::ago(overview.at, at)),
    )
}

fn out(of: &ProviderOverview) -> String {
    if of.out >= COUNTED { format!("{}+", words::number(COUNTED)) } else { words::number(of.out) }
}

fn oldest(of: &ProviderOverview, overview: &Overview) -> String {
    of.oldest_out
        .map(|at| format!("oldest {}", words::lasting(overview.at.since(at))))
        .unwrap_or_default()
}

fn requests_left(of: &ProviderOverview) -> String {
    of.requests_left.map(|left| format!("{} left", words::number(left))).unwrap_or_default()
}

/// Says whether a 429 has lowered the rate below the one that the user allows.
fn slowed(of: &ProviderOverview) -> String {
    match (of.rate, of.rate_limit) {
        (Some(rate), Some(limit)) if rate < limit * 0.995 => {
            format!("of {} allowed", words::rate(limit))
        }
        _ => "at most".to_owned(),
    }
}
