//! A batch's rows as a file, as `enqueue export` writes it: read and sent page by page, so that a
//! million rows are never held in memory.

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use export::{csv as csv_format, jsonl as json_lines_format};
use futures::stream::{self, Stream, StreamExt};
use store::{Columns, ExportPage, Store, StoreError};
use tokio::sync::mpsc;

use super::access::Visitor;
use super::{Admin, batch, file_name};

/// Rows that are read at once.
const PAGE: usize = 4_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    JsonLines,
}

/// `GET /batches/{id}/export.csv`
pub async fn csv(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Response {
    download(&visitor.acting_on(&admin.app.store), &id, Format::Csv).await
}

/// `GET /batches/{id}/export.jsonl`
pub async fn json_lines(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Response {
    download(&visitor.acting_on(&admin.app.store), &id, Format::JsonLines).await
}

async fn download(store: &Store, id: &str, format: Format) -> Response {
    let found = async {
        let batch = store.find_batch(id).await?;
        let columns = store.columns(&batch).await?;
        let overview = store.batch_overview(&batch).await?;
        Ok((batch, columns, overview.and_then(|batch| batch.name)))
    };
    let (batch, columns, name) = match found.await {
        Ok(found) => found,
        Err(error) => return batch::not_found(&error),
    };
    let (kind, extension) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
        Format::JsonLines => ("application/x-ndjson", "jsonl"),
    };
    let name = file_name::disposition(name.as_deref(), &batch.batch_id.to_string(), extension);
    let headers = [(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, name)];
    let pieces = pieces(store.export_pages(batch, PAGE), columns, format);
    (headers, Body::from_stream(pieces)).into_response()
}

/// The file in pieces: what stands before the rows, then page after page. An error breaks the connection
/// off, so that half a file is never taken for a whole one.
fn pieces(
    pages: mpsc::Receiver<Result<ExportPage, StoreError>>,
    columns: Columns,
    format: Format,
) -> impl Stream<Item = anyhow::Result<Vec<u8>>> + use<> {
    let mut header = Vec::new();
    if format == Format::Csv {
        csv_format::header(&mut header, &columns.names);
    }
    let pages = stream::unfold(pages, async |mut pages| Some((pages.recv().await?, pages)));
    let rows = pages.map(move |page| written(&page?, &columns.names, format));
    stream::once(async { Ok(header) }).chain(rows)
}

fn written(page: &ExportPage, names: &[String], format: Format) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    for row in page.rows() {
        match format {
            Format::Csv => csv_format::row(&mut text, names, &row),
            Format::JsonLines => json_lines_format::row(&mut text, names, &row),
        }?;
    }
    Ok(text)
}
