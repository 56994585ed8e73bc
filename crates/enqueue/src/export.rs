//! Exports a batch, reading pages ahead of the writing: the caller's columns as they were, and the result of the
//! reveal.

/// The form of the file.
mod form;
/// Rows that the submit left out.
mod rejected;
/// Which rows are wanted.
mod states;
/// From pages into a file.
mod write;

use std::io::{BufWriter, stdout};
use std::path::PathBuf;

use ::export::{Layout, xlsx};
use clap::Args;
use jobs::{FileForm, FileFormat};
use store::{BatchRef, BatchStatus, Columns, Store};

use self::form::form_of;
use self::rejected::Rejected;
use self::states::States;
use self::write::{Problem, Wanted, write_all};
use crate::failure::Failure;
use crate::output::{count, is_watched, number, say};
use crate::output_file::{Output, failed};

/// Rows in one read.
const PAGE: usize = 4_000;

const EXAMPLES: &str = "\
Examples:
  enqueue export spring -o spring.revealed.csv
  enqueue export spring --wide --states found -o numbers.xlsx
  enqueue export spring --format jsonl | jq .reveal_phones";

/// Options of `enqueue export`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ExportArgs {
    /// The batch's id, the start of its id, or its name
    #[arg(value_name = "BATCH")]
    pub batch: String,

    /// The file to write. It appears once it is complete, and only its owner can read it
    /// [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Replace the file if it exists. The database and submitted files are never replaced
    #[arg(long, requires = "output")]
    pub force: bool,

    /// csv, jsonl or xlsx [default: from the name of the output, or else as submitted, with the
    /// separator, byte order mark and line ends of that file]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<FileFormat>,

    /// Add columns for CRMs: reveal_mobile, the best mobile number, and reveal_phone_1,
    /// reveal_phone_1_type and reveal_phone_1_country for each of the first three numbers
    #[arg(long)]
    pub wide: bool,

    /// Export only rows in these states, as in found,not_found [default: all rows]
    #[arg(long, value_delimiter = ',', value_name = "STATES", value_parser = states::parse)]
    pub states: Vec<String>,

    /// Also export the rows that --skip-invalid left out, in their original places, whatever --states says. Their state is
    /// invalid, and their reason says what is wrong
    #[arg(long)]
    pub with_rejected: bool,
}

/// `enqueue export`.
pub async fn export(store: &Store, args: &ExportArgs) -> Result<(), Failure> {
    let batch = store.reports().find_batch(&args.batch).await?;
    let columns = store.reports().columns(&batch).await?;
    let form = form_of(came(store, &batch, &columns).await?, args.format, args.output.as_deref());
    let form = form.map_err(|wrong| Failure::Usage(wrong.to_string()))?;
    let output = Output::open(store, args.output.as_deref(), args.force).await?;
    let status = store.reports().batch_status(Some(&batch)).await?;
    if form.format == FileFormat::Xlsx {
        fits_a_workbook(&output, status.first())?;
    }
    let layout = Layout { columns: columns.names, form, wide: args.wide };
    let wanted = Wanted {
        states: States::named(&args.states),
        rejected: Rejected::of(store, &batch, args.with_rejected),
        pages: store.reports().export_pages(batch, PAGE),
    };
    match output {
        Output::Stdout => {
            write_all(BufWriter::new(stdout()), &layout, wanted).await?;
        }
        Output::Stream(stream) => {
            write_all(BufWriter::new(stream), &layout, wanted).await?;
        }
        Output::File(pending) => {
            let out = BufWriter::new(pending.file());
            let rows = write_all(out, &layout, wanted).await;
            let rows = rows.map_err(|problem| match problem {
                Problem::Output(error) => failed(pending.path(), &error),
                other => other.into(),
            })?;
            let path = pending.path().display().to_string();
            pending.finish()?;
            say(&format!("{} written to {path}", count(rows, "row")));
        }
    }
    status.first().and_then(unfinished).iter().for_each(|warning| say(warning));
    Ok(())
}

/// Returns the form in which the batch's file came, or the plainest one if none was recorded.
async fn came(store: &Store, batch: &BatchRef, columns: &Columns) -> Result<FileForm, Failure> {
    let plain = if columns.from_json_lines { FileFormat::Jsonl } else { FileFormat::Csv };
    Ok(store.reports().form(batch).await?.unwrap_or_else(|| FileForm::new(plain)))
}

/// Refuses a workbook on a terminal, or with more rows than a sheet has, before anything is read.
fn fits_a_workbook(output: &Output, status: Option<&BatchStatus>) -> Result<(), Failure> {
    if matches!(output, Output::Stdout) && is_watched() {
        return Err(Failure::Usage(
            "a workbook is no text for a terminal; name a file by -o people.xlsx, or say --format csv".into(),
        ));
    }
    let rows = status.map_or(0, |status| status.total);
    if rows > xlsx::MOST_ROWS {
        return Err(Failure::Usage(format!(
            "a sheet has at most {} rows, and this batch has {}; write CSV by --format csv",
            number(xlsx::MOST_ROWS),
            number(rows)
        )));
    }
    Ok(())
}

/// Says that rows of the batch are not finished; `None` if all are.
fn unfinished(status: &BatchStatus) -> Option<String> {
    let open = status.total - status.finished();
    let (are, they) = if open == 1 { ("is", "it has") } else { ("are", "they have") };
    (open > 0).then(|| {
        format!(
            "Warning: {} of {} {are} not finished; export again when {they} a result (enqueue status {}).",
            count(open, "row"),
            number(status.total),
            status.batch_id
        )
    })
}
