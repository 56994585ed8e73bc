use std::io::{self, Seek, Write};

use ::export::kept::UnreadableFields;
use ::export::xlsx::{NotWritten, Table};
use ::export::{Layout, csv, jsonl};
use jobs::FileFormat;
use store::{ExportPage, ExportRow, StoreError};
use tokio::sync::mpsc;

use super::rejected::{Rejected, shown};
use super::states::States;
use crate::failure::Failure;

/// Pages of a batch, as they are read.
pub type Pages = mpsc::Receiver<Result<ExportPage, StoreError>>;

/// Bytes in one write.
const AT_ONCE: usize = 256 * 1024;

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

/// The rows that are wanted.
pub struct Wanted {
    /// All rows of the batch.
    pub pages: Pages,
    /// The states of the rows that are wanted.
    pub states: States,
    /// The bad rows, each of which has its place between two rows of the batch.
    pub rejected: Rejected,
}

impl Wanted {
    /// Passes the rows to `take` in their order. Returns how many.
    async fn each(
        mut self,
        mut take: impl FnMut(&ExportRow) -> Result<(), Problem>,
    ) -> Result<i64, Problem> {
        let mut rows = 0;
        while let Some(page) = self.pages.recv().await {
            for row in page?.rows() {
                rows += self.take_rejected(row.number, &mut take).await?;
                if self.states.keep(row.state) {
                    take(&row)?;
                    rows += 1;
                }
            }
        }
        Ok(rows + self.take_rejected(i64::MAX, &mut take).await?)
    }

    /// Passes the bad rows that come before this row to `take`. Returns how many.
    async fn take_rejected(
        &mut self,
        row: i64,
        take: &mut impl FnMut(&ExportRow) -> Result<(), Problem>,
    ) -> Result<i64, Problem> {
        let mut rows = 0;
        while let Some(rejected) = self.rejected.next_before(row).await? {
            take(&shown(&rejected))?;
            rows += 1;
        }
        Ok(rows)
    }
}

/// Writes the rows that are wanted. Returns how many.
pub async fn write_all(
    out: impl Write + Send,
    layout: &Layout,
    wanted: Wanted,
) -> Result<i64, Problem> {
    match layout.form.format {
        FileFormat::Csv => {
            let mut header = Vec::new();
            csv::header(&mut header, layout);
            text(out, header, wanted, |out, row| csv::row(out, layout, row)).await
        }
        FileFormat::Jsonl => {
            text(out, Vec::new(), wanted, |out, row| jsonl::row(out, layout, row)).await
        }
        FileFormat::Xlsx => workbook(out, layout, wanted).await,
    }
}

async fn text(
    mut out: impl Write,
    mut text: Vec<u8>,
    wanted: Wanted,
    push: impl Fn(&mut Vec<u8>, &ExportRow) -> Result<(), UnreadableFields>,
) -> Result<i64, Problem> {
    let rows = wanted
        .each(|row| {
            push(&mut text, row).map_err(|error| Problem::Fields(row.number, error))?;
            if text.len() >= AT_ONCE {
                out.write_all(&text)?;
                text.clear();
            }
            Ok(())
        })
        .await?;
    out.write_all(&text)?;
    out.flush()?;
    Ok(rows)
}

/// Writes a workbook. It is an archive whose parts are known only at the end, so it is written to a temporary file
/// first.
async fn workbook(
    mut out: impl Write + Send,
    layout: &Layout,
    wanted: Wanted,
) -> Result<i64, Problem> {
    let mut table = Table::new(layout).map_err(|error| Problem::Workbook(0, error))?;
    let write = |row: &ExportRow| {
        table.row(layout, row).map_err(|error| Problem::Workbook(row.number, error))
    };
    let rows = wanted.each(write).await?;
    let mut whole = tempfile::tempfile()?;
    table.finish(&whole).map_err(|error| Problem::Workbook(rows, error))?;
    whole.rewind()?;
    io::copy(&mut whole, &mut out)?;
    out.flush()?;
    Ok(rows)
}
