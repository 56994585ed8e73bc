use std::collections::BTreeMap;
use std::time::Duration;

use jobs::duration::display;
use jobs::{Provider, Timestamp};
use store::{BatchOverview, BatchProvider, Counts, ProviderOverview};

use crate::output::{count, number};
use crate::screen::{Line, Look, Screen, wrapped};
use crate::speed::rows_a_second;
use jobs::words::harmless;

/// Rows finished a second at each provider of a batch, if that is known.
pub type Pace = BTreeMap<Provider, f64>;

/// How a bar draws rows: found, finished without a number, out, waiting.
const BLOCKS: [(&str, Look); 4] =
    [("█", Look::Good), ("▓", Look::Dim), ("▒", Look::Busy), ("░", Look::Dim)];

/// The lines of an unfinished batch, or of a batch that is shown alone.
pub fn block(
    batch: &BatchOverview,
    held: &[String],
    pace: &Pace,
    now: Timestamp,
    screen: &Screen,
) -> Vec<Line> {
    let counts = batch.counts();
    let mut lines = vec![title(batch, now)];
    lines.push(bar(batch.total, &counts, screen.width));
    lines.push(states(batch.total, &counts));
    for at in &batch.providers {
        let text = at_provider(at, pace.get(&at.provider));
        lines.extend(wrapped(Look::Plain, &text, screen.width));
    }
    lines.extend(time_left(batch, pace).map(|text| Line::of(Look::Plain, text)));
    for text in held {
        lines.extend(wrapped(Look::Warn, &format!("! {text}"), screen.width));
    }
    lines
}

/// The line of a finished batch among others.
pub fn finished(batch: &BatchOverview, now: Timestamp) -> Line {
    let counts = batch.counts();
    let ended: Vec<String> = counts
        .by_state()
        .iter()
        .filter(|(_, n)| *n > 0)
        .map(|(state, n)| format!("{} {}", number(*n), state.replace('_', " ")))
        .collect();
    let since = batch.finished_at.map(|at| format!("  {}", ago(now, at))).unwrap_or_default();
    Line::of(Look::Plain, name(batch))
        .and(Look::Plain, format!("  {}: {}", count(batch.total, "row"), ended.join(", ")))
        .and(Look::Dim, since)
}

/// The line of a provider: whether requests are sent just now, and how fast.
pub fn provider(of: &ProviderOverview) -> Line {
    let look = if of.gate == "open" { Look::Good } else { Look::Warn };
    let reason = of.reason.as_deref().filter(|reason| *reason != of.gate);
    let gate = match reason {
        Some(reason) => format!("{} ({})", of.gate, reason.replace('_', " ")),
        None => of.gate.to_owned(),
    };
    let mut facts = Vec::new();
    facts.extend(of.rate.map(|rate| format!("at most {}/s", two_places(rate))));
    facts.push(format!("{} out", count(of.out, "request")));
    facts.extend(of.credits_left.map(|credits| format!("{} left", credits.counted())));
    Line::of(Look::Plain, format!("{:<9}", of.provider.as_str()))
        .and(look, gate)
        .and(Look::Dim, format!("  {}", facts.join(", ")))
}

fn title(batch: &BatchOverview, now: Timestamp) -> Line {
    let since = match batch.finished_at {
        Some(at) => format!("finished {}", ago(now, at)),
        None => format!("submitted {}", ago(now, batch.created_at)),
    };
    let id = if batch.name.is_some() { format!("  {}", batch.batch_id) } else { String::new() };
    Line::of(Look::Bold, name(batch)).and(Look::Dim, format!("{id}  {since}"))
}

fn name(batch: &BatchOverview) -> String {
    let name = batch.name.as_deref().filter(|name| !name.trim().is_empty());
    harmless(name.unwrap_or(&batch.batch_id)).chars().take(60).collect()
}

/// Found, finished without a number, out, waiting: the parts of a bar.
fn parts(counts: &Counts) -> [i64; 4] {
    let ended = counts.finished() - counts.found;
    let out = counts.sending + counts.awaiting;
    [counts.found, ended, out, counts.unfinished() - out]
}

fn bar(total: i64, counts: &Counts, width: usize) -> Line {
    let done = format!("  {}%", counts.finished() * 100 / total.max(1));
    let width = i64::try_from(width.saturating_sub(done.len() + 1)).unwrap_or(0).max(1);
    let mut line = Line::default();
    let (mut rows, mut drawn) = (0, 0);
    for (part, (block, look)) in parts(counts).into_iter().zip(BLOCKS) {
        rows += part;
        // The end of the part, not its length: so all parts together are as long as the bar.
        let end = rows * width / total.max(1);
        let long = usize::try_from(end - drawn).unwrap_or(0);
        line = line.and(look, block.repeat(long));
        drawn = end;
    }
    line.and(Look::Bold, done)
}

/// `520 found, 42 not found …`, each in the look that it has in the bar above.
fn states(total: i64, counts: &Counts) -> Line {
    let done = format!("{} of {}", number(counts.finished()), count(total, "row"));
    let mut line = Line::of(Look::Plain, done);
    for (state, n) in counts.by_state().into_iter().filter(|(_, n)| *n > 0) {
        let (block, look) = match state {
            "found" => BLOCKS[0],
            "awaiting" | "sending" => BLOCKS[2],
            "queued" | "retrying" | "held" => BLOCKS[3],
            _ => BLOCKS[1],
        };
        line = line.and(Look::Plain, "   ").and(look, format!("{block} "));
        line = line.and(Look::Plain, format!("{} {}", number(n), state.replace('_', " ")));
    }
    line
}

fn at_provider(at: &BatchProvider, speed: Option<&f64>) -> String {
    let counts = &at.counts;
    let mut facts = Vec::new();
    if counts.unfinished() > 0 {
        facts.push(format!("{} to go", number(counts.unfinished())));
    }
    facts.extend(speed.filter(|speed| **speed > 0.0).map(|speed| rows_a_second(*speed)));
    if counts.people_asked > 0 {
        let hits = counts.people_found * 100 / counts.people_asked;
        facts.push(format!("{} asked, {hits}% found", number(counts.people_asked)));
    }
    facts.push(format!("{} spent", counts.credits_spent.counted()));
    if counts.credits_reserved.is_positive() {
        facts.push(format!("{} reserved", counts.credits_reserved.grouped()));
    }
    facts.extend(at.max_credits.map(|most| format!("ceiling {}", most.grouped())));
    format!("{:<8} {}", at.provider.as_str(), facts.join(" · "))
}

/// How long the batch takes at the present speed, which is as long as its slowest provider takes. Held rows are left
/// out, and there is no estimate while a provider finishes no rows.
fn time_left(batch: &BatchOverview, pace: &Pace) -> Option<String> {
    let open = |at: &&BatchProvider| at.counts.unfinished() > at.counts.held;
    let mut longest: f64 = 0.0;
    for at in batch.providers.iter().filter(open) {
        let speed = pace.get(&at.provider).copied().filter(|speed| *speed > 0.0)?;
        longest = longest.max((at.counts.unfinished() - at.counts.held) as f64 / speed);
    }
    if longest == 0.0 {
        return None;
    }
    let left = display(Duration::from_secs_f64(longest.clamp(1.0, 1e9)));
    let held = batch.counts().held;
    let but = if held > 0 { ", and then what is held" } else { "" };
    Some(format!("about {left} left{but}"))
}

fn ago(now: Timestamp, then: Timestamp) -> String {
    format!("{} ago", display(Duration::from_secs(now.since(then).as_secs().max(1))))
}

fn two_places(n: f64) -> String {
    let text = format!("{n:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jobs::Credits;

    fn batch(providers: &[(Provider, Counts)]) -> BatchOverview {
        let at = |(provider, counts): &(Provider, Counts)| BatchProvider {
            provider: *provider,
            counts: *counts,
            max_credits: None,
            at_ceiling: false,
        };
        BatchOverview {
            batch_id: "01M8".to_owned(),
            name: Some("Spring\u{1b}[2J".to_owned()),
            created_at: Timestamp(0),
            finished_at: None,
            cancelled: false,
            total: 100,
            providers: providers.iter().map(at).collect(),
        }
    }

    fn text(lines: &[Line], width: usize) -> Vec<String> {
        lines.iter().map(|line| line.text(width, false)).collect()
    }

    #[test]
    fn a_running_batch_says_how_far_how_fast_and_how_long() {
        let ocean = Counts {
            found: 30,
            not_found: 10,
            awaiting: 10,
            people_asked: 50,
            people_found: 30,
            credits_spent: Credits::whole(33),
            credits_reserved: Credits::whole(10),
            ..Counts::default()
        };
        let clodura = Counts { queued: 50, ..Counts::default() };
        let batch = batch(&[(Provider::Ocean, ocean), (Provider::Clodura, clodura)]);
        let pace = Pace::from([(Provider::Ocean, 2.0), (Provider::Clodura, 0.5)]);
        let screen = Screen { width: 46, height: 24, colour: true };
        let held = ["ocean: 10 rows waiting: for a reason that is long".to_owned()];
        let lines = block(&batch, &held, &pace, Timestamp(65_000), &screen);
        assert_eq!(
            text(&lines, 80),
            [
                "Spring [2J  01M8  submitted 1m 5s ago",
                "████████████▓▓▓▓▒▒▒▒░░░░░░░░░░░░░░░░░░░░  40%",
                "40 of 100 rows   █ 30 found   ▓ 10 not found   ▒ 10 awaiting   ░ 50 queued",
                "ocean    10 to go · 2.0 rows/s · 50 asked,",
                "  60% found · 33 credits spent · 10 reserved",
                "clodura  50 to go · 0.5 rows/s · 0 credits",
                "  spent",
                "about 1m 40s left",
                "! ocean: 10 rows waiting: for a reason that",
                "  is long",
            ]
        );
    }

    #[test]
    fn nothing_is_promised_where_nothing_moves() {
        let held = Counts { held: 5, ..Counts::default() };
        let moving = Counts { queued: 10, ..Counts::default() };
        let both = batch(&[(Provider::Ocean, held), (Provider::Clodura, moving)]);
        assert_eq!(time_left(&both, &Pace::new()), None);
        let pace = Pace::from([(Provider::Clodura, 1.0)]);
        let left = time_left(&both, &pace);
        assert_eq!(left.as_deref(), Some("about 10s left, and then what is held"));
        assert_eq!(time_left(&batch(&[(Provider::Ocean, held)]), &pace), None);
    }

    #[test]
    fn the_bar_is_as_long_as_the_line() {
        for found in 0..=100 {
            let counts = Counts { found, queued: 100 - found, ..Counts::default() };
            let text = bar(100, &counts, 40).text(200, false);
            let blocks = text.chars().filter(|c| "█░".contains(*c)).count();
            assert_eq!(blocks, 40 - format!("  {found}%").len() - 1, "{text}");
        }
    }
}
