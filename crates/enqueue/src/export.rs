//! Reads pages ahead while it writes: the caller's columns as they were, and what was revealed.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufWriter, Write, stdout};
use std::path::{Path, PathBuf};

use ::export::kept::UnreadableFields;
use ::export::{csv, jsonl};
use clap::Args;
use store::{Columns, ExportPage, Store};
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

use crate::failure::Failure;
use crate::input::Format;
use crate::output::{count, say};

/// Rows that are read at once.
const PAGE: usize = 4_000;

/// Options of `enqueue export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The batch's id, the beginning of it, or its name
    #[arg(value_name = "BATCH")]
    pub batch: String,

    /// Where to write; the file appears once it is complete [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// csv or jsonl [default: by the name of the output, else as it was submitted]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
}

/// `enqueue export`.
pub async fn export(store: &Store, args: &ExportArgs) -> Result<(), Failure> {
    let batch = store.find_batch(&args.batch).await?;
    let columns = store.columns(&batch).await?;
    let format = args.format.unwrap_or_else(|| default_format(args.output.as_deref(), &columns));
    let pages = store.export_pages(batch, PAGE);
    match &args.output {
        None => {
            write_all(BufWriter::new(stdout().lock()), format, &columns.names, pages).await?;
        }
        Some(path) => to_file(path, format, &columns.names, pages).await?,
    }
    Ok(())
}

fn default_format(output: Option<&Path>, columns: &Columns) -> Format {
    let extension = output.and_then(Path::extension).and_then(OsStr::to_str);
    match extension.map(str::parse) {
        Some(Ok(format)) => format,
        _ if columns.from_json_lines => Format::Jsonl,
        _ => Format::Csv,
    }
}

type Pages = mpsc::Receiver<Result<ExportPage, store::StoreError>>;

/// Into a file that takes its name, in place of another's, once it is whole and on the disk.
async fn to_file(
    path: &Path,
    format: Format,
    columns: &[String],
    pages: Pages,
) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::Failed(format!("{}: {error}", path.display()));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let file = new_file(folder.unwrap_or(Path::new("."))).map_err(failed)?;
    let written = write_all(BufWriter::new(file.as_file()), format, columns, pages).await;
    let rows = written.map_err(|problem| match problem {
        Problem::Output(error) => failed(error),
        other => other.into(),
    })?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    say(&format!("{} written to {}", count(rows, "row"), path.display()));
    Ok(())
}

/// With the permissions that any new file gets, not those of a secret.
fn new_file(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(".export-").make_in(folder, |path| File::create_new(path))
}

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
