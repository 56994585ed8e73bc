use std::collections::BTreeMap;

use jobs::{Credits, Provider};
use serde::Serialize;

use crate::output::{count, number};

/// What a submit came to: what `--json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The batch; none of a dry run.
    pub batch_id: Option<String>,
    /// Rows of the batch.
    pub rows: i64,
    /// Rows for which somebody is newly asked.
    pub queued: i64,
    /// Rows that share what is known or asked already.
    pub shared: i64,
    /// Bad rows that were left out.
    pub rejected: i64,
    /// What the people may cost at most, by provider.
    pub max_credits_needed: BTreeMap<Provider, Credits>,
}

impl Report {
    /// A sentence for people.
    pub fn sentence(&self) -> String {
        let mut text = format!(
            "{}: {} to be asked for, {} shared with what is known or asked already",
            count(self.rows, "row"),
            number(self.queued),
            number(self.shared),
        );
        let ended = self.rows - self.queued - self.shared;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_there_is_to_say() {
        let mut report = Report {
            batch_id: None,
            rows: 1_286,
            queued: 1_200,
            shared: 86,
            rejected: 0,
            max_credits_needed: BTreeMap::from([(Provider::Ocean, Credits::whole(1_200))]),
        };
        assert_eq!(
            report.sentence(),
            "1,286 rows: 1,200 to be asked for, 86 shared with what is known or asked already; \
             at most 1,200 ocean credits"
        );
        (report.shared, report.rejected) = (85, 1);
        report.max_credits_needed.clear();
        assert_eq!(
            report.sentence(),
            "1,286 rows: 1,200 to be asked for, 85 shared with what is known or asked already, \
             1 of erased people, 1 bad row rejected; no credits needed"
        );
    }
}
