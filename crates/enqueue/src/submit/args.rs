use std::collections::BTreeSet;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use jobs::{Clock, Provider, Timestamp, duration};

use super::ceilings::Ceilings;
use super::cost_and_time::{COST, Pace, Prices};
use super::lookup;
use crate::input::{ColumnMapping, ContentHasher, Format, Options, Source};

// Headings of the help; COST is defined with the options that it heads.
const READING: &str = "Reading the input";
const ASKING: &str = "Which providers, and when";
const BATCH: &str = "The batch";
const OUTCOME: &str = "What to do, and what to print";

const EXAMPLES: &str = "\
Examples:
  enqueue submit people.csv --dry-run
  enqueue submit contacts.xlsx --sheet Leads --max-credits ocean=500,clodura=2000
  enqueue submit people.csv --providers available --want mobile --skip-invalid
  enqueue submit export.csv --column linkedin_url=\"Profile of the person\" --name spring --wait
  zcat people.csv.gz | enqueue submit - --format csv";

/// A word of `--providers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Provider(Provider),
    Available,
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "available" => Ok(Named::Available),
            _ => text
                .parse()
                .map(Named::Provider)
                .map_err(|error| format!("{error}; or `available` for those that are set up")),
        }
    }
}

/// A type of number that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Want {
    /// A mobile number, or one that may be mobile, as American numbers may
    Mobile,
}

/// Options of `enqueue submit`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SubmitArgs {
    /// CSV with a header, JSON Lines, or an Excel workbook (.xlsx). Several files make one batch;
    /// - is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// csv or jsonl [default: from the file's name, or else its content]
    #[arg(help_heading = READING, long, value_name = "FORMAT")]
    pub format: Option<Format>,

    /// The workbook's sheet to read [default: the first]
    #[arg(help_heading = READING, long, value_name = "NAME")]
    pub sheet: Option<String>,

    /// The header that stands for ocean_person_id, clodura_person_id or linkedin_url, as in
    /// linkedin_url="Profile of the person". May be given several times [default: headers of the
    /// usual exports are recognised]
    #[arg(help_heading = READING, long = "column", value_name = "NAME=HEADER")]
    pub columns: Vec<ColumnMapping>,

    /// The providers to ask, in this order; a later one is asked only if the earlier ones have no number. `available`
    /// stands for the providers that a worker of this database last had set up, or that have a key in the environment
    /// [default: ocean,clodura, each if the row has an identifier for it]
    #[arg(help_heading = ASKING, long = "providers", value_delimiter = ',', value_name = "NAMES")]
    named: Option<Vec<Named>>,

    /// Also ask the next provider if only numbers of another type were found. The row keeps those numbers
    /// [default: a number of any type is enough]
    #[arg(help_heading = ASKING, long, value_enum, value_name = "TYPE")]
    want: Option<Want>,

    /// Look up this provider's ids by LinkedIn address for rows without one, so that it is asked for them, too. Only
    /// ocean can: 0.05 credits a match, up to 1,000 people a request [default: LinkedIn addresses serve only Clodura]
    #[arg(help_heading = ASKING, long, value_parser = lookup::parse, value_name = "PROVIDER")]
    lookup: Option<Provider>,

    /// The providers that `--providers` chose.
    #[arg(skip)]
    providers: Option<Vec<Provider>>,

    /// A name for the batch, which commands accept in place of its id
    #[arg(help_heading = BATCH, long, value_name = "TEXT")]
    pub name: Option<String>,

    /// The most credits that the batch may use at each provider, as in ocean=500,clodura=unlimited,
    /// or 500 if it has one provider. People are then asked in the order of the input
    /// [default: no ceiling]
    #[arg(help_heading = COST, long, value_name = "CREDITS")]
    pub max_credits: Option<Ceilings>,

    /// Batches of a higher priority go first. Batches of one priority share a provider's rate
    #[arg(help_heading = BATCH, long, default_value_t = 0, allow_hyphen_values = true, value_name = "N")]
    pub priority: i64,

    /// A key that makes repeating a submit safe: the same key and content enqueue nothing, and the
    /// first batch is printed
    #[arg(help_heading = BATCH, long, value_name = "KEY")]
    pub idempotency_key: Option<String>,

    /// Enqueue the good rows of people.csv, and write the bad ones with their reasons to
    /// people.rejected.csv next to it [default: a bad row refuses the whole input]
    #[arg(help_heading = READING, long)]
    pub skip_invalid: bool,

    /// Ask again for people with a known result older than this, as in 90d [default: never]
    #[arg(help_heading = ASKING, long, value_parser = duration::parse, value_name = "AGE")]
    pub refresh_after: Option<Duration>,

    /// Print a JSON object with batch_id, rows, queued, shared, suppressed, rejected, max_credits_needed and providers:
    /// for each people, lookup, worst_case, expected, ceiling, balance, seconds and ready
    #[arg(help_heading = OUTCOME, long)]
    pub json: bool,

    /// Print what the submit would do and cost, and write nothing
    #[arg(help_heading = OUTCOME, long, conflicts_with = "wait")]
    pub dry_run: bool,

    /// Wait until the batch is finished, and show its progress
    #[arg(help_heading = OUTCOME, long)]
    pub wait: bool,

    /// What people may cost.
    #[command(flatten)]
    pub prices: Prices,

    /// How fast people are asked.
    #[command(flatten)]
    pub pace: Pace,
}

impl SubmitArgs {
    /// The files.
    pub fn sources(&self) -> Vec<Source> {
        self.files.iter().map(|file| Source::from_arg(file.as_os_str())).collect()
    }

    /// The files' absolute paths; pipes and devices have none that an export could replace.
    pub fn source_paths(&self) -> Vec<String> {
        let files = self.files.iter().filter(|file| file.is_file());
        files.filter_map(|file| Some(file.canonicalize().ok()?.to_string_lossy().into())).collect()
    }

    /// The batch's name; an empty one is none.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref().map(str::trim).filter(|name| !name.is_empty())
    }

    /// How the files are to be read.
    pub fn reading(&self) -> Options {
        Options {
            format: self.format,
            sheet: self.sheet.clone(),
            columns: self.columns.clone(),
            providers: self.providers.clone(),
            lookup: self.lookup,
        }
    }

    /// Whether the providers are to be those that are set up.
    pub fn asks_available(&self) -> bool {
        self.named.iter().flatten().any(|named| *named == Named::Available)
    }

    /// Chooses the providers, of which `available` are set up. Each is kept where it is named first, since asking it
    /// once more for the same people brings nothing new. Returns the providers that were named again.
    pub fn choose(&mut self, available: &[Provider]) -> BTreeSet<Provider> {
        let (mut once, mut again) = (Vec::new(), BTreeSet::new());
        for named in self.named.iter().flatten() {
            match named {
                Named::Provider(provider) if once.contains(provider) => {
                    again.insert(*provider);
                }
                Named::Provider(provider) => once.push(*provider),
                Named::Available => {
                    let others = available.iter().filter(|one| !once.contains(one));
                    once.extend(others.copied().collect::<Vec<_>>());
                }
            }
        }
        self.providers = self.named.as_ref().map(|_| once);
        again
    }

    /// The providers that may be asked, in this order.
    pub fn waterfall(&self) -> Vec<Provider> {
        self.providers.clone().unwrap_or_else(|| Provider::ALL.to_vec())
    }

    /// Where LinkedIn addresses are looked up, if anywhere.
    pub fn lookup(&self) -> Option<Provider> {
        self.lookup
    }

    /// Whether only a mobile number is enough.
    pub fn wants_mobile(&self) -> bool {
        self.want == Some(Want::Mobile)
    }

    /// The moment before which known results count as too old and are asked for again.
    pub fn refresh_before(&self, clock: &Clock) -> Option<Timestamp> {
        self.refresh_after.map(|age| clock.now() - age)
    }

    /// A fingerprint of the options that change the result. The providers are not among them: each row has its own.
    pub fn fingerprint(&self) -> ContentHasher {
        let mut hasher = ContentHasher::new();
        let ceilings = self.max_credits.as_ref().map(ToString::to_string);
        let refresh = self.refresh_after.map(|age| age.as_millis().to_string());
        hasher.option("name", self.name().unwrap_or_default());
        hasher.option("max_credits", ceilings.as_deref().unwrap_or_default());
        hasher.option("priority", &self.priority.to_string());
        hasher.option("want", if self.wants_mobile() { "mobile" } else { "" });
        hasher.option("lookup", self.lookup.map_or("", Provider::as_str));
        hasher.option("refresh_after", refresh.as_deref().unwrap_or_default());
        hasher
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use jobs::Provider::{Clodura, Ocean};

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: SubmitArgs,
    }

    fn named(line: &[&str]) -> (Vec<Provider>, Vec<Provider>) {
        let mut args = Line::parse_from([&["submit", "people.csv"], line].concat()).args;
        let again = args.choose(&[Clodura]);
        (args.waterfall(), again.into_iter().collect())
    }

    #[test]
    fn each_provider_is_kept_where_it_is_named_first() {
        assert_eq!(named(&[]), (Provider::ALL.to_vec(), vec![]));
        assert_eq!(named(&["--providers", "clodura,ocean"]), (vec![Clodura, Ocean], vec![]));
        let twice = named(&["--providers", "ocean,clodura,ocean,ocean"]);
        assert_eq!(twice, (vec![Ocean, Clodura], vec![Ocean]));
        let twice = named(&["--providers", "ocean,ocean,clodura"]);
        assert_eq!(twice, (vec![Ocean, Clodura], vec![Ocean]));
    }

    #[test]
    fn available_stands_for_those_that_are_set_up() {
        assert_eq!(named(&["--providers", "available"]), (vec![Clodura], vec![]));
        assert_eq!(named(&["--providers", "ocean,available"]), (vec![Ocean, Clodura], vec![]));
        assert_eq!(named(&["--providers", "clodura,available"]), (vec![Clodura], vec![]));
        assert!(Line::try_parse_from(["submit", "p.csv", "--providers", "availible"]).is_err());
    }
}
