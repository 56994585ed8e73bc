use std::collections::BTreeSet;
use std::io::BufRead;
use std::time::Duration;

use clap::Args;
use jobs::{Identifier, IdentifierKind, duration};
use store::{Erased, Erasure, ErasureTarget, Purge, Scrubbed, Store, Traces};

use crate::failure::Failure;
use crate::output::{count, number, say};

/// Options of `enqueue erase`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("target").required(true).args(["person", "linkedin", "phone"]))]
pub struct EraseArgs {
    /// Ocean's or Clodura's id of the person (ocean:ID or clodura:ID names the provider). `-` reads it from standard
    /// input, which keeps it out of the shell's history
    #[arg(long, value_name = "ID")]
    pub person: Option<String>,

    /// The person's LinkedIn address. `-` reads it from standard input
    #[arg(long, value_name = "URL")]
    pub linkedin: Option<String>,

    /// A number of the person with its country code, as in +4512345678. `-` reads it from standard input
    #[arg(long, value_name = "NUMBER")]
    pub phone: Option<String>,

    /// Erase every person who has the number, even if there are several
    #[arg(long, requires = "phone")]
    pub everybody: bool,
}

/// Options of `enqueue purge`.
#[derive(Debug, Args)]
pub struct PurgeArgs {
    /// How long ago a person must have been finished, as in 180d
    #[arg(long, value_parser = duration::parse, value_name = "AGE")]
    pub older_than: Duration,
}

/// `enqueue erase`.
pub async fn erase(store: &Store, args: &EraseArgs) -> Result<(), Failure> {
    let target = args.target(&mut std::io::stdin().lock())?;
    let people = store.privacy().identify(&target).await?;
    if people.is_empty() {
        return Err(Failure::Failed(
            "no known person has this number; nothing was erased (--person and --linkedin also \
             accept people who were never asked for)"
                .into(),
        ));
    }
    if args.phone.is_some() && people.len() > 1 && !args.everybody {
        return Err(Failure::Usage(format!(
            "{} people have this number; say which with --person or --linkedin, or erase all of them with \
             --everybody; nothing was erased",
            number(people.len() as i64)
        )));
    }
    let mut all = Erasure::default();
    for person in &people {
        let Erasure { erased, traces } = store.privacy().erase(person).await?;
        all.erased = sum(all.erased, erased);
        all.traces.merge(traces);
    }
    let Erasure { erased, traces } = all;
    say(&format!(
        "Erased: {} at providers, {}, {}, {}; {} kept, so that the person is not asked for again",
        count(erased.reveals, "reveal"),
        count(erased.rows, "row"),
        count(erased.phones, "number"),
        count(erased.bodies, "raw body"),
        count(erased.identifiers, "hash"),
    ));
    scrub(store, traces).await?;
    say(
        "Earlier exports, files of rejected rows and backups are not changed; delete them yourself.",
    );
    Ok(())
}

/// Removes copies of erased data from the database's files, and says where that can't be done.
async fn scrub(store: &Store, traces: Traces) -> Result<(), Failure> {
    let left = match store.privacy().scrub(traces).await? {
        Scrubbed::Clean => return Ok(()),
        Scrubbed::Packed => {
            say("The database file held copies in its unused parts; it was rewritten.");
            return Ok(());
        }
        Scrubbed::InUse => {
            "another program uses the database file, so its log or its unused parts may still hold copies of the \
             deleted data; stop the workers, then run this command again"
        }
        Scrubbed::InStatistics => {
            "the server's statistics still hold deleted data, and this user may not renew them; have the owner of \
             the tables run: ANALYZE reveals, identity_links, identity_splits"
        }
    };
    Err(Failure::Failed(left.into()))
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
    /// Returns the person or the number that is meant. An option that is `-` is read from a line of `input`.
    fn target(&self, input: &mut impl BufRead) -> Result<ErasureTarget, Failure> {
        let bad = |what: &str, why: String| Failure::Usage(format!("--{what} {why}"));
        if let Some(id) = &self.person {
            let id = given("person", id, input)?;
            return Ok(ErasureTarget::Identifiers(by_id(&id).map_err(|why| bad("person", why))?));
        }
        if let Some(url) = &self.linkedin {
            let url = given("linkedin", url, input)?;
            let profile = Identifier::parse(IdentifierKind::LinkedinUrl, &url)
                .map_err(|error| bad("linkedin", error.to_string()))?;
            return Ok(ErasureTarget::Identifiers(BTreeSet::from([profile.encode()])));
        }
        let raw = given("phone", self.phone.as_deref().unwrap_or_default(), input)?;
        let raw = raw.trim().to_owned();
        let digits: String = raw.chars().filter(char::is_ascii_digit).collect();
        if digits.len() < 5 {
            return Err(bad("phone", "is no phone number".to_owned()));
        }
        let e164 = raw.starts_with('+').then(|| format!("+{digits}"));
        Ok(ErasureTarget::Phone { e164, raw })
    }
}

/// Returns the option's text, or the line on standard input that replaces it.
fn given(option: &str, text: &str, input: &mut impl BufRead) -> Result<String, Failure> {
    if text.trim() != "-" {
        return Ok(text.to_owned());
    }
    let mut line = String::new();
    let read = input.read_line(&mut line);
    read.map_err(|error| Failure::Failed(format!("standard input can't be read: {error}")))?;
    if line.trim().is_empty() {
        return Err(Failure::Usage(format!(
            "--{option} - reads a line from standard input, and there was none"
        )));
    }
    Ok(line)
}

/// The encoded identifiers that an id may be.
pub fn by_id(text: &str) -> Result<BTreeSet<String>, String> {
    Ok(ids(text)?.iter().map(Identifier::encode).collect())
}

/// Returns the ids that a text may mean: an id alone does not show which provider issued it.
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
    let Purge { purged, traces } = store.privacy().purge(args.older_than).await?;
    say(&format!(
        "Purged: {}, {}, {}, {}",
        count(purged.batches, "batch"),
        count(purged.reveals, "reveal"),
        count(purged.calls, "request"),
        count(purged.webhooks, "raw body"),
    ));
    scrub(store, traces).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(person: Option<&str>, phone: Option<&str>) -> EraseArgs {
        EraseArgs {
            person: person.map(str::to_owned),
            linkedin: None,
            phone: phone.map(str::to_owned),
            everybody: false,
        }
    }

    #[test]
    fn a_dash_stands_for_a_line_of_standard_input() {
        let target = args(Some("-"), None).target(&mut &b"ocean:p1\nocean:p2\n"[..]).unwrap();
        let ErasureTarget::Identifiers(identifiers) = target else { unreachable!() };
        assert_eq!(identifiers, BTreeSet::from(["ocean:p1".to_owned()]));
        let target = args(None, Some("-")).target(&mut &b"+45 1234 5678"[..]).unwrap();
        let ErasureTarget::Phone { e164, raw } = target else { unreachable!() };
        assert_eq!((e164.as_deref(), raw.as_str()), (Some("+4512345678"), "+45 1234 5678"));
        for nothing in ["", "\n", " \n ocean:p1"] {
            assert!(args(Some("-"), None).target(&mut nothing.as_bytes()).is_err());
        }
    }

    #[test]
    fn an_id_may_be_of_either_provider() {
        let both = BTreeSet::from(["ocean:p1".to_owned(), "clodura:p1".to_owned()]);
        assert_eq!(by_id(" p1 "), Ok(both));
        assert_eq!(by_id("ocean:p1"), Ok(BTreeSet::from(["ocean:p1".to_owned()])));
        assert_eq!(by_id("clodura:2751"), Ok(BTreeSet::from(["clodura:2751".to_owned()])));
        assert!(by_id("two words").is_err());
    }
}
