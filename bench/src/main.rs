//! Measures the release binaries (worker, enqueue, sandbox) as a user runs them, each with its reference measured in
//! the same run: plain writes of as many bytes into the same database, as durable, stock apalis with one task a
//! person, and other queues that do the same work. Prints one JSON object per measurement on stdout.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};

mod apalis; // the rates of stock apalis
mod apalis_postgres_reference; // apalis-postgres
mod apalis_sqlite_reference; // apalis-sqlite
mod apalis_work; // the work of its tasks
mod bench; // settings that all measurements share
mod cases; // one file a measurement
mod database; // both databases, created and removed
mod drain; // submit, then wait for every result
mod http; // talking to the sandbox and to the worker's listener
mod kind; // the kind of database
mod measurement; // the printed result
mod peers; // other queues that do the same work
mod people; // made-up files
mod prober; // how long a small write has to wait
mod process; // starting programs, and their resources
mod reference; // plain writes, and the two kinds of apalis
mod stack; // the sandbox and the worker that uses it

use bench::Bench;
use cases::Case;
use kind::Kind;

/// Measures reveal-queue, plain database writes and stock apalis. Build the binaries first; scripts/bench does.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// On which database
    #[arg(long, value_enum, default_value_t = Databases::Both)]
    db: Databases,

    /// Only these measurements [default: all but growth]
    #[arg(long, value_enum, num_args = 1.., value_delimiter = ',')]
    only: Vec<Case>,

    /// Fewer or more people than the targets name: 0.01 takes seconds
    #[arg(long, default_value_t = 1.0)]
    scale: f64,

    /// Where worker, enqueue and sandbox are
    #[arg(long, default_value = "target/release")]
    bin_dir: PathBuf,

    /// A maintenance database in which databases may be created
    #[arg(long, env = "TEST_POSTGRES_URL")]
    postgres_url: Option<String>,

    /// Where files and SQLite databases are written (and removed): on the disk that is to be measured
    #[arg(long, default_value = "target/bench-work")]
    work_dir: PathBuf,

    /// Append the JSON lines to this file, too
    #[arg(long)]
    json: Option<PathBuf>,

    /// Where `--only growth` writes its table
    #[arg(long, default_value = "target/growth.csv")]
    growth_csv: PathBuf,

    /// The most people of `--only growth`
    #[arg(long, default_value_t = 5_000_000)]
    growth_most: usize,

    /// Leave the references out
    #[arg(long)]
    no_reference: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Databases {
    Sqlite,
    Postgres,
    Both,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let args = Args::parse();
    std::fs::create_dir_all(&args.work_dir).context("the work directory")?;
    let dir = tempfile::tempdir_in(&args.work_dir).context("the work directory")?;
    let bench = Bench {
        bin_dir: args.bin_dir,
        scale: args.scale,
        postgres_url: args.postgres_url,
        dir: dir.path().to_owned(),
        json: args.json,
        growth_csv: args.growth_csv,
        growth_most: args.growth_most,
        with_reference: !args.no_reference,
        http: providers::http::client(std::time::Duration::from_secs(120))?,
        apalis: tokio::sync::Mutex::default(),
    };
    let kinds = match args.db {
        Databases::Sqlite => vec![Kind::Sqlite],
        Databases::Postgres => vec![Kind::Postgres],
        Databases::Both => vec![Kind::Sqlite, Kind::Postgres],
    };
    let cases = if args.only.is_empty() { Case::usual() } else { args.only };
    let mut failed = 0;
    for case in cases {
        for &kind in &kinds {
            eprintln!("{} on {kind} …", case.name());
            if let Err(error) = cases::run(case, &bench, kind).await {
                eprintln!("{} on {kind} could not be measured: {error:#}", case.name());
                failed += 1;
            }
        }
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
