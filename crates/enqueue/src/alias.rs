use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use jobs::{Identifier, IdentifierKind};
use store::{Split, Store};

use crate::failure::Failure;
use crate::forget::by_id;
use crate::output::{count, number, say};
use jobs::words::harmless;

/// Commands of `enqueue alias`.
#[derive(Debug, Subcommand)]
pub enum AliasCommand {
    /// Separate an identifier from all others that a file joined it with by mistake
    Split(SplitArgs),
}

/// Options of `enqueue alias split`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("target").required(true).args(["person", "linkedin"]))]
pub struct SplitArgs {
    /// Ocean's or Clodura's id of the person (ocean:ID or clodura:ID names the provider)
    #[arg(long, value_name = "ID")]
    pub person: Option<String>,

    /// The LinkedIn address that leads to the wrong person
    #[arg(long, value_name = "URL")]
    pub linkedin: Option<String>,
}

/// Up to this many of the rows are named.
const MOST_NAMED: usize = 20;

/// `enqueue alias split`.
pub async fn split(store: &Store, args: &SplitArgs) -> Result<(), Failure> {
    let identifiers = args.identifiers()?;
    let split = store.people().split(identifiers.clone()).await?;
    said(&identifiers, &split).iter().for_each(|line| say(line));
    Ok(())
}

/// Says what is now separate, and which rows are affected.
fn said(identifiers: &BTreeSet<String>, split: &Split) -> Vec<String> {
    if split.separated.is_empty() {
        let own = list(identifiers, " or ");
        return vec![format!("{own} is joined with no other identifier; nothing was changed.")];
    }
    let separated = split.separated.iter();
    let mut lines: Vec<String> = separated
        .map(|(one, others)| {
            format!("{} is now separate from {}.", harmless(one), list(others, ", "))
        })
        .collect();
    lines
        .push("Later submits, retries and erasures keep them separate, whatever files say.".into());
    if split.rows_in_all == 0 {
        lines.push("No row is affected.".into());
        return lines;
    }
    lines.push(format!(
        "{} may show the other person's result. Results stay with the identifier that was asked, and rows keep what \
         they show; submit those people again to ask by their own identifier:",
        count(split.rows_in_all, "row"),
    ));
    lines.extend(
        split
            .rows
            .iter()
            .take(MOST_NAMED)
            .map(|(batch, row)| format!("  row {row} of batch {batch}")),
    );
    let more = split.rows_in_all - split.rows.len().min(MOST_NAMED) as i64;
    if more > 0 {
        lines.push(format!("  and {} more", number(more)));
    }
    lines
}

fn list(identifiers: &BTreeSet<String>, between: &str) -> String {
    identifiers.iter().map(|one| harmless(one)).collect::<Vec<_>>().join(between)
}

impl SplitArgs {
    fn identifiers(&self) -> Result<BTreeSet<String>, Failure> {
        if let Some(id) = &self.person {
            return by_id(id).map_err(|why| Failure::Usage(format!("--person {why}")));
        }
        let url = self.linkedin.as_deref().unwrap_or_default();
        let profile = Identifier::parse(IdentifierKind::LinkedinUrl, url)
            .map_err(|error| Failure::Usage(format!("--linkedin {error}")))?;
        Ok(BTreeSet::from([profile.encode()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_separate_and_which_rows_are_affected() {
        let own = BTreeSet::from(["clodura:c1".to_owned()]);
        let lines = said(&own, &Split::default());
        assert_eq!(lines, ["clodura:c1 is joined with no other identifier; nothing was changed."]);
        let split = Split {
            separated: [("clodura:c1".to_owned(), ["linkedin.com/in/ann".to_owned()].into())]
                .into(),
            rows: (1..=30).map(|row| ("01B".to_owned(), row)).collect(),
            rows_in_all: 1_030,
        };
        let lines = said(&own, &split);
        assert_eq!(lines[0], "clodura:c1 is now separate from linkedin.com/in/ann.");
        assert!(
            lines[2].starts_with("1,030 rows may show the other person's result."),
            "{}",
            lines[2]
        );
        assert_eq!(lines[3], "  row 1 of batch 01B");
        assert_eq!(lines.last().map(String::as_str), Some("  and 1,010 more"));
    }
}
