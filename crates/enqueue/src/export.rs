//! Reads pages ahead while it writes: the caller's columns as they were, and what was revealed.

use std::ffi::OsStr;
use std::io::{self, BufWriter, Write, stdout};
use std::path::{Path, PathBuf};

use ::export::kept::UnreadableFields;
use ::export::{csv, jsonl};
use clap::Args;
use store::{ExportPage, Store};
use tokio::sync::mpsc;

use crate::failure::Failure;
use crate::input::Format;
use crate::output::{count, say};
use crate::output_file::{Output, failed};

/// Rows that are read at once.
const PAGE: usize = 4_000;
/// What no export is: CSV under such a name would not open.
const NOT_WRITTEN: [&str; 5] = ["xlsx", "xls", "ods", "json", "parquet"];

/// Options of `enqueue export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The batch's id, the beginning of it, or its name
    #[arg(value_name = "BATCH")]
    pub batch: String,

    /// Where to write; the file appears once it is complete, and is readable by its owner only
    /// [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Replace the file if it exists; the database and files that were submitted never are
    #[arg(long, requires = "output")]
    pub force: bool,

    /// csv or jsonl [default: by the name of the output, else as it was submitted]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
}

/// `enqueue export`.
pub async fn export(store: &Store, args: &ExportArgs) -> Result<(), Failure> {
    let promised = args.output.as_deref().map_or(Ok(None), promised)?;
    if let (Some(format), Some(promised)) = (args.format, promised)
        && format != promised
    {
        return Err(Failure::Usage(format!(
            "--format and the name {} say different formats; change one of them",
            args.output.as_deref().unwrap_or(Path::new("-")).display()
        )));
    }
    let batch = store.find_batch(&args.batch).await?;
    let columns = store.columns(&batch).await?;
    let submitted = if columns.from_json_lines { Format::Jsonl } else { Format::Csv };
    let format = args.format.or(promised).unwrap_or(submitted);
    let output = Output::open(store, args.output.as_deref(), args.force).await?;
    let pages = store.export_pages(batch, PAGE);
    let names = &columns.names;
    match output {
        Output::Stdout => {
            write_all(BufWriter::new(stdout().lock()), format, names, pages).await?;
        }
        Output::Stream(stream) => {
            write_all(BufWriter::new(stream), format, names, pages).await?;
        }
        Output::File(pending) => {
            let written = write_all(BufWriter::new(pending.file()), format, names, pages).await;
            let rows = written.map_err(|problem| match problem {
                Problem::Output(error) => failed(pending.path(), &error),
                other => other.into(),
            })?;
            let path = pending.path().display().to_string();
            pending.finish()?;
            say(&format!("{} written to {path}", count(rows, "row")));
        }
    }
    Ok(())
}

/// The format that a name promises by its ending.
fn promised(path: &Path) -> Result<Option<Format>, Failure> {
    let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
    if NOT_WRITTEN.contains(&ending.as_str()) {
        return Err(Failure::Usage(format!(
            "{}: no {ending} is written; name it .csv or .jsonl",
            path.display()
        )));
    }
    Ok(ending.parse().ok())
}

type Pages = mpsc::Receiver<Result<ExportPage, store::StoreError>>;

/// Why an export broke off.
enum Problem {
    Ledger(store::StoreError),
    Fields(i64, UnreadableFields),
    Output(io::Error),
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Problem::Output(error)
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Ledger(error) => error.into(),
            Problem::Fields(row, error) => Failure::Failed(format!("row {row}: {error}")),
            Problem::Output(error) => error.into(),
        }
    }
}

async fn write_all(
    mut out: impl Write,
    format: Format,
    columns: &[String],
    mut pages: Pages,
) -> Result<i64, Problem> {
    let mut text = Vec::new();
    if format == Format::Csv {
        csv::header(&mut text, columns);
    }
    let mut rows = 0;
    while let Some(page) = pages.recv().await {
        let page = page.map_err(Problem::Ledger)?;
        for row in page.rows() {
            let written = match format {
                Format::Csv => csv::row(&mut text, columns, &row),
                Format::Jsonl => jsonl::row(&mut text, columns, &row),
            };
            written.map_err(|error| Problem::Fields(row.number, error))?;
            rows += 1;
        }
        out.write_all(&text)?;
        text.clear();
    }
    out.write_all(&text)?;
    out.flush()?;
    Ok(rows)
}
