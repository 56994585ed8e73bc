use std::io::{self, Seek, Write};

use ::export::kept::UnreadableFields;
use ::export::xlsx::{NotWritten, Table};
use ::export::{Layout, csv, jsonl};
use jobs::FileFormat;
use store::{ExportPage, ExportRow, StoreError};
use tokio::sync::mpsc;

use super::states::States;
use crate::failure::Failure;

/// Pages of a batch, as they are read.
pub type Pages = mpsc::Receiver<Result<ExportPage, StoreError>>;

/// Why an export broke off.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The ledger can't be read.
    #[error(transparent)]
    Ledger(#[from] StoreError),
    /// The ledger's copy of a row is broken.
    #[error("row {0}: {1}")]
    Fields(i64, UnreadableFields),
    /// The batch fits into no workbook.
    #[error("row {0}: {1}")]
    Workbook(i64, NotWritten),
    /// The output can't be written.
    #[error(transparent)]
    Output(#[from] io::Error),
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Ledger(error) => error.into(),
            Problem::Output(error) => error.into(),
            Problem::Fields(..) | Problem::Workbook(..) => Failure::Failed(problem.to_string()),
        }
    }
}

/// Writes the rows in these states; how many they are.
pub async fn write_all(
    out: impl Write + Send,
    layout: &Layout,
    states: &States,
    pages: Pages,
) -> Result<i64, Problem> {
    match layout.form.format {
        FileFormat::Csv => {
            let mut header = Vec::new();
            csv::header(&mut header, layout);
            text(out, header, pages, states, |out, row| csv::row(out, layout, row)).await
        }
        FileFormat::Jsonl => {
            text(out, Vec::new(), pages, states, |out, row| jsonl::row(out, layout, row)).await
        }
        FileFormat::Xlsx => workbook(out, layout, states, pages).await,
    }
}

async fn text(
    mut out: impl Write,
    mut text: Vec<u8>,
    mut pages: Pages,
    states: &States,
    push: impl Fn(&mut Vec<u8>, &ExportRow) -> Result<(), UnreadableFields>,
) -> Result<i64, Problem> {
    let mut rows = 0;
    while let Some(page) = pages.recv().await {
        for row in page?.rows().filter(|row| states.keep(row.state)) {
            push(&mut text, &row).map_err(|error| Problem::Fields(row.number, error))?;
            rows += 1;
        }
        out.write_all(&text)?;
        text.clear();
    }
    out.write_all(&text)?;
    out.flush()?;
    Ok(rows)
}

/// A workbook is an archive whose parts are known at the end: it is written elsewhere first.
async fn workbook(
    mut out: impl Write + Send,
    layout: &Layout,
    states: &States,
    mut pages: Pages,
) -> Result<i64, Problem> {
    let mut table = Table::new(layout).map_err(|error| Problem::Workbook(0, error))?;
    let mut rows = 0;
    while let Some(page) = pages.recv().await {
        for row in page?.rows().filter(|row| states.keep(row.state)) {
            table.row(layout, &row).map_err(|error| Problem::Workbook(row.number, error))?;
            rows += 1;
        }
    }
    let mut whole = tempfile::tempfile()?;
    table.finish(&whole).map_err(|error| Problem::Workbook(rows, error))?;
    whole.rewind()?;
    io::copy(&mut whole, &mut out)?;
    out.flush()?;
    Ok(rows)
}
