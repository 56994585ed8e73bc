//! `enqueue suppress`: the list of people and numbers that are never to be asked for or exported.

/// The entries that the lines of a list name.
mod list;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jobs::{Identifier, IdentifierKind};
use store::{Store, Suppression, SuppressionCount};

use self::list::{List, phone, read};
use crate::failure::Failure;
use crate::forget::ids;
use crate::input::{Source, read_cells};
use crate::output::{count, number, print_line, say};

/// Up to this many bad lines are listed.
const MOST_LISTED: usize = 20;

/// Commands of `enqueue suppress`.
#[derive(Debug, Subcommand)]
pub enum SuppressCommand {
    /// Add a file's people and numbers to the list. Rows that wait for these people end as cancelled, reason suppressed
    Import(ImportArgs),
    /// Show how many people and numbers are on the list, which holds only keyed hashes
    List(ListArgs),
    /// Remove people and numbers from the list. Rows that ended stay as they are
    Remove(RemoveArgs),
}

/// Options of `enqueue suppress import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// CSV, JSON Lines or .xlsx with columns such as ocean_person_id, clodura_person_id, linkedin_url and phone; `-` is
    /// standard input. Without a header, each line is a LinkedIn address, +4512345678, ocean:ID or clodura:ID
    pub file: PathBuf,

    /// List the cells that can't be read, and import the others
    #[arg(long)]
    pub skip_invalid: bool,
}

/// Options of `enqueue suppress list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Print the counts as JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `enqueue suppress remove`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["file", "person", "linkedin", "phone"]))]
pub struct RemoveArgs {
    /// A file, in the form that import accepts
    pub file: Option<PathBuf>,

    /// Ocean's or Clodura's id of a person (ocean:ID or clodura:ID names the provider)
    #[arg(long, value_name = "ID")]
    pub person: Option<String>,

    /// A person's LinkedIn address
    #[arg(long, value_name = "URL")]
    pub linkedin: Option<String>,

    /// A number with its country code, as in +4512345678
    #[arg(long, value_name = "NUMBER")]
    pub phone: Option<String>,
}

/// `enqueue suppress`.
pub async fn suppress(store: &Store, command: &SuppressCommand) -> Result<(), Failure> {
    match command {
        SuppressCommand::Import(args) => import(store, args).await,
        SuppressCommand::List(args) => list(store, args).await,
        SuppressCommand::Remove(args) => remove(store, args).await,
    }
}

async fn import(store: &Store, args: &ImportArgs) -> Result<(), Failure> {
    let List { entries, bad } = from_file(&args.file)?;
    bad.iter().take(MOST_LISTED).for_each(|line| say(line));
    if bad.len() > MOST_LISTED {
        say(&format!("… and {} more", count((bad.len() - MOST_LISTED) as i64, "bad cell")));
    }
    if !bad.is_empty() && !args.skip_invalid {
        return Err(Failure::Refused(format!(
            "{}: nothing was suppressed; correct the file, or leave bad cells out with --skip-invalid",
            count(bad.len() as i64, "bad cell"),
        )));
    }
    if entries.is_empty() {
        return Err(Failure::Refused(
            "no person and no number is in the file; nothing was suppressed".into(),
        ));
    }
    let named = entries.len() as i64;
    let done = store.privacy().suppress(&entries).await?;
    say(&format!(
        "Suppressed: {} ({} on the list before); {} ended while waiting",
        count(done.added, "new entry"),
        number(named - done.added),
        count(done.rows, "row"),
    ));
    Ok(())
}

async fn remove(store: &Store, args: &RemoveArgs) -> Result<(), Failure> {
    let entries = args.entries()?;
    let done = store.privacy().unsuppress(&entries).await?;
    say(&format!("Removed from the list: {}", count(done.removed, "entry")));
    if done.still_suppressed > 0 {
        say(&format!(
            "{} still suppressed, since another entry names the same person",
            number(done.still_suppressed),
        ));
    }
    say(
        "Rows that ended as suppressed stay as they are; submit these people again to ask for them.",
    );
    Ok(())
}

async fn list(store: &Store, args: &ListArgs) -> Result<(), Failure> {
    let kinds = store.privacy().suppressions().await?;
    if args.json {
        let object = |kind: &SuppressionCount| {
            let SuppressionCount { kind, entries, last_added_at } = kind;
            serde_json::json!({"kind": kind, "entries": entries, "last_added_at": last_added_at})
        };
        let all: Vec<_> = kinds.iter().map(object).collect();
        return Ok(print_line(&serde_json::Value::from(all).to_string())?);
    }
    if kinds.is_empty() {
        say("No person and no number is suppressed.");
    }
    for kind in kinds {
        print_line(&format!(
            "{:18} {:>12}  last added {}",
            kind.kind,
            number(kind.entries),
            kind.last_added_at,
        ))?;
    }
    Ok(())
}

fn from_file(file: &std::path::Path) -> Result<List, Failure> {
    let source = Source::from_arg(file.as_os_str());
    Ok(read(&source.name(), read_cells(&source)?))
}

impl RemoveArgs {
    fn entries(&self) -> Result<Vec<Suppression>, Failure> {
        let usage = |flag: &str, why: String| Failure::Usage(format!("--{flag} {why}"));
        if let Some(file) = &self.file {
            let List { entries, bad } = from_file(file)?;
            bad.iter().take(MOST_LISTED).for_each(|line| say(line));
            return Ok(entries);
        }
        if let Some(id) = &self.person {
            let ids = ids(id).map_err(|why| usage("person", why))?;
            return Ok(ids.into_iter().map(Suppression::Person).collect());
        }
        if let Some(url) = &self.linkedin {
            let profile = Identifier::parse(IdentifierKind::LinkedinUrl, url);
            let profile = profile.map_err(|error| usage("linkedin", error.to_string()))?;
            return Ok(vec![Suppression::Person(profile)]);
        }
        let number = self.phone.as_deref().unwrap_or_default();
        Ok(vec![phone(number).map_err(|why| usage("phone", why.to_owned()))?])
    }
}
