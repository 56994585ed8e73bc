//! Bars and a plot, as SVG whose colours are the style's: no attribute that the content policy forbids.

use std::collections::BTreeMap;

use jobs::{Provider, Timestamp};
use maud::{Markup, html};
use store::{Counts, Minute};

use super::words;

const MINUTE_MS: i64 = 60_000;
/// Minutes in the plot.
const MINUTES: i64 = 60;
/// The plot's own units.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 150.0;

/// How a batch's rows are divided among the states.
pub fn progress(counts: &Counts) -> Markup {
    let label = legend_text(counts);
    let shown: Vec<_> = counts.by_state().into_iter().filter(|(_, n)| *n > 0).collect();
    let total: i64 = shown.iter().map(|(_, n)| n).sum();
    // Even three rows of a million get a visible bar; the other bars make room for it.
    let wide = |n: i64| (n as f64 / total.max(1) as f64).max(0.004);
    let all: f64 = shown.iter().map(|(_, n)| wide(*n)).sum();
    let mut at = 0.0;
    let segments = shown.into_iter().map(|(state, n)| {
        let width = wide(n) * 1000.0 / all;
        at += width;
        (state, at - width, width)
    });
    let segments: Vec<(&str, f64, f64)> = segments.collect();
    html! {
        svg.bar viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label=(label) {
            @for (state, from, width) in segments {
                rect class={ "s-" (state) } x=(units(from)) y="0" width=(units(width)) height="10" {}
            }
        }
    }
}

fn legend_text(counts: &Counts) -> String {
    let parts = counts.by_state().into_iter().filter(|(_, n)| *n > 0);
    let parts: Vec<String> =
        parts.map(|(state, n)| format!("{} {}", words::number(n), words::state(state))).collect();
    if parts.is_empty() { "no rows".to_owned() } else { parts.join(", ") }
}

/// The states that a batch's rows show, with their numbers.
pub fn legend(counts: &Counts) -> Markup {
    html! {
        ul.legend {
            @for (state, n) in counts.by_state().into_iter().filter(|(_, n)| *n > 0) {
                li { span class={ "dot s-" (state) } {} b { (words::number(n)) } " " (words::state(state)) }
            }
        }
    }
}

/// The results of each minute of the last hour, over all providers.
pub struct Throughput {
    /// (found, not found), the oldest minute first; the last one has only begun.
    minutes: Vec<(i64, i64)>,
    /// The results of each provider, found or not.
    of_providers: BTreeMap<Provider, Vec<i64>>,
    /// The number of the first minute, counted from the epoch.
    first: i64,
}

impl Throughput {
    /// Counts the results of the hour that ends at `now`.
    pub fn new(counted: &[Minute], now: Timestamp) -> Self {
        let first = now.millis().div_euclid(MINUTE_MS) - (MINUTES - 1);
        let mut minutes = vec![(0, 0); MINUTES as usize];
        let mut of_providers: BTreeMap<Provider, Vec<i64>> = BTreeMap::new();
        for minute in counted {
            let place = usize::try_from(minute.minute - first).unwrap_or(usize::MAX);
            let Some(sum) = minutes.get_mut(place) else { continue };
            sum.0 += minute.found;
            sum.1 += minute.not_found;
            let of_provider = of_providers.entry(minute.provider);
            let of_provider = of_provider.or_insert_with(|| vec![0; MINUTES as usize]);
            if let Some(results) = of_provider.get_mut(place) {
                *results += minute.found + minute.not_found;
            }
        }
        Throughput { minutes, of_providers, first }
    }

    /// Results of the hour.
    pub fn total(&self) -> i64 {
        self.minutes.iter().map(|(found, not_found)| found + not_found).sum()
    }

    /// Current results a minute: the mean of the last five minutes, or of the minutes since results began to come.
    pub fn pace(&self) -> i64 {
        let results: Vec<i64> = self.minutes.iter().map(|(f, n)| f + n).collect();
        recent(&results)
    }

    /// The same for one provider.
    pub fn pace_of(&self, provider: Provider) -> i64 {
        self.of_providers.get(&provider).map_or(0, |results| recent(results))
    }

    /// The plot, with its scale and times.
    pub fn plot(&self) -> Markup {
        let most = self.minutes.iter().map(|(found, not_found)| found + not_found).max();
        let top = scale(most.unwrap_or(0));
        html! {
            div.chart.card {
                (self.bars(top))
                div.scale.top-line aria-hidden="true" { span { (words::number(top)) } }
                div.scale.mid-line aria-hidden="true" { span { (words::number(top / 2)) } }
                div.times aria-hidden="true" {
                    @for minute in [0, 15, 30, 45, MINUTES - 1] { span { (self.time(minute)) } }
                }
            }
        }
    }

    fn bars(&self, top: i64) -> Markup {
        let label = format!("{} in the last hour", words::count(self.total(), "result"));
        let step = WIDTH / MINUTES as f64;
        let tall = |n: i64| n as f64 * HEIGHT / top.max(1) as f64;
        let bars = self.minutes.iter().enumerate().filter(|(_, (f, n))| f + n > 0);
        html! {
            svg viewBox="0 0 600 150" preserveAspectRatio="none" role="img" aria-label=(label) {
                @for y in ["0", "75", "150"] { line.grid x1="0" x2="600" y1=(y) y2=(y) {} }
                @for (place, &(found, not_found)) in bars {
                    @let x = units(place as f64 * step + step * 0.12);
                    @let width = units(step * 0.76);
                    @let (upper, lower) = (tall(not_found), tall(found));
                    g.pointed {
                        title { (self.time(place as i64)) " — " (words::number(found)) " found, " (words::number(not_found)) " not found" }
                        rect.s-not_found x=(x) width=(width) y=(units(HEIGHT - lower - upper)) height=(units(upper)) {}
                        rect.s-found x=(x) width=(width) y=(units(HEIGHT - lower)) height=(units(lower)) {}
                    }
                }
            }
        }
    }

    fn time(&self, place: i64) -> String {
        let at = Timestamp((self.first + place) * MINUTE_MS);
        words::clock(at).get(..5).unwrap_or_default().to_owned()
    }
}

fn recent(results: &[i64]) -> i64 {
    let recent = &results[results.len().saturating_sub(5)..];
    let began = recent.iter().position(|n| *n > 0).unwrap_or(recent.len());
    let spent = &recent[began..];
    spent.iter().sum::<i64>() / i64::try_from(spent.len().max(1)).unwrap_or(1)
}

/// Returns the next round number whose half is round, too, so that the lines have whole numbers.
fn scale(most: i64) -> i64 {
    let mut unit = 1;
    loop {
        for steps in [10, 20, 30, 40, 60, 80] {
            if most <= steps * unit {
                return steps * unit;
            }
        }
        unit *= 10;
    }
}

fn units(value: f64) -> String {
    format!("{value:.2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(minute: i64, found: i64, not_found: i64) -> Minute {
        Minute { provider: Provider::Ocean, minute, found, not_found }
    }

    #[test]
    fn the_hour_ends_now_and_forgets_what_was_before() {
        let now = Timestamp(1_000 * MINUTE_MS + 30_000);
        let plot =
            Throughput::new(&[minute(900, 7, 7), minute(941, 1, 0), minute(1_000, 4, 2)], now);
        assert_eq!(plot.minutes.first(), Some(&(1, 0)));
        assert_eq!(plot.minutes.last(), Some(&(4, 2)));
        assert_eq!(plot.total(), 7);
        assert_eq!(plot.pace(), 6);
        assert_eq!((plot.pace_of(Provider::Ocean), plot.pace_of(Provider::Clodura)), (6, 0));
    }

    #[test]
    fn the_scale_is_round() {
        assert_eq!([0, 10, 11, 49, 81, 2_146].map(scale), [10, 10, 20, 60, 100, 3_000]);
    }

    #[test]
    fn a_few_rows_of_a_million_are_seen() {
        let counts = Counts { found: 999_997, failed: 3, ..Counts::default() };
        let bar = progress(&counts).into_string();
        assert!(bar.contains(r#"class="s-failed" x="996.02" y="0" width="3.98""#), "{bar}");
        assert!(bar.contains("999,997 Found, 3 Failed"));
    }
}
