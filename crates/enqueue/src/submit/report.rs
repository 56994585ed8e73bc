use std::collections::BTreeMap;

use jobs::outlook::Outlook;
use jobs::{Credits, Provider};
use serde::Serialize;
use store::{Contradiction, Loaded};

use super::outlook;
use crate::output::{count, number};

/// The result of a submit, as `--json` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The batch; none of a dry run.
    pub batch_id: Option<String>,
    /// Rows of the batch.
    pub rows: i64,
    /// Rows whose people are newly asked for.
    pub queued: i64,
    /// Rows that share a result or a request that is there already.
    pub shared: i64,
    /// Rows of people who are never to be asked for, by `enqueue suppress`.
    pub suppressed: i64,
    /// Bad rows that were left out.
    pub rejected: i64,
    /// What the people may cost at most, by provider.
    pub max_credits_needed: BTreeMap<Provider, Credits>,
    /// The outlook at each provider.
    pub providers: BTreeMap<Provider, Outlook>,
}

impl Report {
    /// The report for people: a sentence, and what each provider will cost.
    pub fn text(&self) -> String {
        let mut lines = vec![self.sentence()];
        lines.extend(self.providers.iter().flat_map(|(p, outlook)| outlook::lines(*p, outlook)));
        lines.join("\n")
    }

    fn sentence(&self) -> String {
        let mut text = format!(
            "{}: {} to be asked for, {} shared with what is known or asked already",
            count(self.rows, "row"),
            number(self.queued),
            number(self.shared),
        );
        if self.suppressed > 0 {
            text.push_str(&format!(", {} of suppressed people", number(self.suppressed)));
        }
        let ended = self.rows - self.queued - self.shared - self.suppressed;
        if ended > 0 {
            text.push_str(&format!(", {} of erased people", number(ended)));
        }
        if self.rejected > 0 {
            text.push_str(&format!(", {} rejected", count(self.rejected, "bad row")));
        }
        let credits: Vec<String> = self
            .max_credits_needed
            .iter()
            .map(|(provider, credits)| format!("{} {provider} credits", credits.grouped()))
            .collect();
        match credits.as_slice() {
            [] => text.push_str("; no credits needed"),
            credits => text.push_str(&format!("; at most {}", credits.join(" and "))),
        }
        text
    }
}

/// Up to this many contradictions are named with their rows.
const MOST_NAMED: usize = 10;

/// One line about the rows that contradict each other or what was known; `None` if there are none.
pub fn contradictions(loaded: &Loaded) -> Option<String> {
    let mut all: Vec<&Contradiction> = loaded.contradictions.values().collect();
    all.sort_by_key(|contradiction| contradiction.rows.first());
    let (alone, with_each_other): (Vec<&Contradiction>, Vec<&Contradiction>) =
        all.into_iter().partition(|it| it.rows.len() == 1 && !it.more);
    let mut said = Vec::new();
    if !with_each_other.is_empty() {
        said.push(format!("rows {} contradict each other", groups(&with_each_other)));
    }
    if !alone.is_empty() {
        let (what, verb) =
            if alone.len() == 1 { ("row", "contradicts") } else { ("rows", "contradict") };
        said.push(format!("{what} {} {verb} what was known before", groups(&alone)));
    }
    let mut said = said.join("; ");
    said.get_mut(..1)?.make_ascii_uppercase();
    Some(format!(
        "{said}: they give one identifier to different people. They stay different people, each asked by their own id."
    ))
}

/// As in `1 and 2; 5, 6 and more`.
fn groups(contradictions: &[&Contradiction]) -> String {
    let mut groups: Vec<String> =
        contradictions.iter().take(MOST_NAMED).map(|it| rows_of(it)).collect();
    if contradictions.len() > MOST_NAMED {
        groups.push(format!("and {} more", number((contradictions.len() - MOST_NAMED) as i64)));
    }
    groups.join("; ")
}

fn rows_of(contradiction: &Contradiction) -> String {
    let mut rows: Vec<String> = contradiction.rows.iter().map(|row| number(*row)).collect();
    if contradiction.more {
        rows.push("more".into());
    }
    match rows.pop() {
        Some(last) if !rows.is_empty() => format!("{} and {last}", rows.join(", ")),
        last => last.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_rows_that_contradict_each_other() {
        let of = |rows: &[i64], elsewhere| Contradiction {
            rows: rows.iter().copied().collect(),
            more: false,
            elsewhere,
        };
        let mut loaded = Loaded::default();
        assert_eq!(contradictions(&loaded), None);
        loaded.contradictions.insert(1, of(&[1, 2], false));
        let line = contradictions(&loaded).unwrap();
        assert!(line.starts_with("Rows 1 and 2 contradict each other: "), "{line}");
        loaded.contradictions.insert(2, of(&[7], true));
        loaded.contradictions.insert(3, of(&[4, 5, 6], true));
        let line = contradictions(&loaded).unwrap();
        let start = "Rows 1 and 2; 4, 5 and 6 contradict each other; row 7 contradicts what was known before: ";
        assert!(line.starts_with(start), "{line}");
    }

    #[test]
    fn says_what_there_is_to_say() {
        let mut report = Report {
            batch_id: None,
            rows: 1_286,
            queued: 1_200,
            shared: 86,
            suppressed: 0,
            rejected: 0,
            max_credits_needed: BTreeMap::from([(Provider::Ocean, Credits::whole(1_200))]),
            providers: BTreeMap::new(),
        };
        assert_eq!(
            report.sentence(),
            "1,286 rows: 1,200 to be asked for, 86 shared with what is known or asked already; \
             at most 1,200 ocean credits"
        );
        (report.shared, report.rejected) = (82, 1);
        report.suppressed = 3;
        report.max_credits_needed.clear();
        assert_eq!(
            report.sentence(),
            "1,286 rows: 1,200 to be asked for, 82 shared with what is known or asked already, \
             3 of suppressed people, 1 of erased people, 1 bad row rejected; no credits needed"
        );
    }
}
