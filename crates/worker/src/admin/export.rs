//! A batch's rows as a file, as `enqueue export` writes it: read and sent page by page, so that a
//! million rows are never held in memory.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use export::{csv as csv_format, jsonl as json_lines_format};
use futures::stream::{self, Stream};
use store::{BatchRef, Columns, Store};

use super::{Admin, batch};

/// Rows that are read at once.
const PAGE: usize = 2_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    JsonLines,
}

/// `GET /batches/{id}/export.csv`
pub async fn csv(State(admin): State<Admin>, Path(id): Path<String>) -> Response {
    download(&admin, &id, Format::Csv).await
}

/// `GET /batches/{id}/export.jsonl`
pub async fn json_lines(State(admin): State<Admin>, Path(id): Path<String>) -> Response {
    download(&admin, &id, Format::JsonLines).await
}

async fn download(admin: &Admin, id: &str, format: Format) -> Response {
    let store = &admin.app.store;
    let found = async {
        let batch = store.find_batch(id).await?;
        let columns = store.columns(&batch).await?;
        Ok((batch, columns))
    };
    let (batch, columns) = match found.await {
        Ok(found) => found,
        Err(error) => return batch::not_found(&error),
    };
    let (kind, extension) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
        Format::JsonLines => ("application/x-ndjson", "jsonl"),
    };
    // The batch's name is the user's text; its id is safe in a header and in every file system.
    let name = format!("attachment; filename=\"{}.{extension}\"", batch.batch_id);
    let headers = [(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, name)];
    let rows = rows(store.clone(), batch, columns, format);
    (headers, Body::from_stream(rows)).into_response()
}

/// How far an export came.
struct Progress {
    store: Store,
    batch: BatchRef,
    columns: Columns,
    /// The last row that was written; before the first page there is a header to write.
    after: Option<i64>,
}

/// An error breaks the connection off, so that half a file is never taken for a whole one.
fn rows(
    store: Store,
    batch: BatchRef,
    columns: Columns,
    format: Format,
) -> impl Stream<Item = anyhow::Result<Vec<u8>>> {
    let start = Progress { store, batch, columns, after: None };
    stream::try_unfold(start, move |mut progress| async move {
        let mut text = Vec::new();
        if progress.after.is_none() && format == Format::Csv {
            csv_format::header(&mut text, &progress.columns.names);
        }
        let after = progress.after.unwrap_or(0);
        let page = progress.store.export_page(&progress.batch, after, PAGE).await?;
        let first = progress.after.replace(page.last().map_or(after, |row| row.number)).is_none();
        for row in &page {
            let names = &progress.columns.names;
            match format {
                Format::Csv => csv_format::row(&mut text, names, row),
                Format::JsonLines => json_lines_format::row(&mut text, names, row),
            }?;
        }
        let ended = page.is_empty() && (!first || text.is_empty());
        Ok((!ended).then_some((text, progress)))
    })
}
