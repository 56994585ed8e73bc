use std::collections::BTreeSet;
use std::time::Duration;

use clap::Args;
use jobs::{Identifier, IdentifierKind, duration};
use store::{Erased, Store, Whom};

use crate::failure::Failure;
use crate::output::{count, number, say};

/// Options of `enqueue erase`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("whom").required(true).args(["person", "linkedin", "phone"]))]
pub struct EraseArgs {
    /// Ocean's or Clodura's id of the person; ocean:ID or clodura:ID where it has to be told apart
    #[arg(long, value_name = "ID")]
    pub person: Option<String>,

    /// The person's LinkedIn address
    #[arg(long, value_name = "URL")]
    pub linkedin: Option<String>,

    /// A number of the person, with its country code, as in +4512345678
    #[arg(long, value_name = "NUMBER")]
    pub phone: Option<String>,

    /// Erase everybody who has the number, if several people have it
    #[arg(long, requires = "phone")]
    pub everybody: bool,
}

/// Options of `enqueue purge`.
#[derive(Debug, Args)]
pub struct PurgeArgs {
    /// How long ago people must have been finished, as in 180d
    #[arg(long, value_parser = duration::parse, value_name = "AGE")]
    pub older_than: Duration,
}

/// `enqueue erase`.
pub async fn erase(store: &Store, args: &EraseArgs) -> Result<(), Failure> {
    let people = store.identify(&args.whom()?).await?;
    if people.is_empty() {
        return Err(Failure::Failed(
            "nobody is known to have this number; nothing was erased (by --person or --linkedin \
             somebody is remembered even before they are asked for)"
                .into(),
        ));
    }
    if args.phone.is_some() && people.len() > 1 && !args.everybody {
        return Err(Failure::Usage(format!(
            "{} people have this number; say which by --person or --linkedin, or erase all of them by \
             --everybody; nothing was erased",
            number(people.len() as i64)
        )));
    }
    let mut all = Erased::default();
    for person in &people {
        all = sum(all, store.erase(person).await?);
    }
    say(&format!(
        "Erased: {} at providers, {}, {}, {}; remembered by {} not to be asked for again",
        count(all.reveals, "reveal"),
        count(all.rows, "row"),
        count(all.phones, "number"),
        count(all.bodies, "raw body"),
        count(all.identifiers, "hash"),
    ));
    say("Exports and files of rejected rows that were written before are yours to delete.");
    Ok(())
}

fn sum(a: Erased, b: Erased) -> Erased {
    Erased {
        identifiers: a.identifiers + b.identifiers,
        reveals: a.reveals + b.reveals,
        rows: a.rows + b.rows,
        phones: a.phones + b.phones,
        bodies: a.bodies + b.bodies,
    }
}

impl EraseArgs {
    fn whom(&self) -> Result<Whom, Failure> {
        let bad = |what: &str, why: String| Failure::Usage(format!("--{what} {why}"));
        if let Some(id) = &self.person {
            return Ok(Whom::Identifiers(by_id(id).map_err(|why| bad("person", why))?));
        }
        if let Some(url) = &self.linkedin {
            let profile = Identifier::parse(IdentifierKind::LinkedinUrl, url)
                .map_err(|error| bad("linkedin", error.to_string()))?;
            return Ok(Whom::Identifiers(BTreeSet::from([profile.encode()])));
        }
        let raw = self.phone.clone().unwrap_or_default().trim().to_owned();
        let digits: String = raw.chars().filter(char::is_ascii_digit).collect();
        if digits.len() < 5 {
            return Err(bad("phone", "is no phone number".to_owned()));
        }
        let e164 = raw.starts_with('+').then(|| format!("+{digits}"));
        Ok(Whom::Phone { e164, raw })
    }
}

/// The encoded identifiers that an id may be.
pub fn by_id(text: &str) -> Result<BTreeSet<String>, String> {
    Ok(ids(text)?.iter().map(Identifier::encode).collect())
}

/// An id says not by itself which provider gave it.
pub fn ids(text: &str) -> Result<Vec<Identifier>, String> {
    let kinds = [IdentifierKind::OceanPersonId, IdentifierKind::CloduraPersonId];
    let (kinds, id): (&[IdentifierKind], &str) = match text.trim().split_once(':') {
        Some(("ocean", id)) => (&kinds[..1], id),
        Some(("clodura", id)) => (&kinds[1..], id),
        _ => (&kinds, text),
    };
    kinds
        .iter()
        .map(|kind| Identifier::parse(*kind, id).map_err(|error| error.to_string()))
        .collect()
}

/// `enqueue purge`.
pub async fn purge(store: &Store, args: &PurgeArgs) -> Result<(), Failure> {
    let purged = store.purge(args.older_than).await?;
    say(&format!(
        "Purged: {}, {}, {}, {}",
        count(purged.batches, "batch"),
        count(purged.reveals, "reveal"),
        count(purged.calls, "request"),
        count(purged.webhooks, "raw body"),
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_may_be_of_either_provider() {
        let both = BTreeSet::from(["ocean:p1".to_owned(), "clodura:p1".to_owned()]);
        assert_eq!(by_id(" p1 "), Ok(both));
        assert_eq!(by_id("ocean:p1"), Ok(BTreeSet::from(["ocean:p1".to_owned()])));
        assert_eq!(by_id("clodura:2751"), Ok(BTreeSet::from(["clodura:2751".to_owned()])));
        assert!(by_id("two words").is_err());
    }
}
