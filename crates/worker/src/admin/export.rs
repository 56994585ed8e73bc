//! A batch's rows as a file, as `enqueue export` writes it: read and sent page by page, so that a
//! million rows are never held in memory.

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use export::{Layout, csv as csv_format, jsonl as json_lines_format};
use futures::stream::{self, Stream, StreamExt};
use jobs::{FileForm, FileFormat};
use store::{ExportPage, Store, StoreError};
use tokio::sync::mpsc;

use super::access::Visitor;
use super::state::Admin;
use super::{batch, file_name};

/// Rows in one read.
const PAGE: usize = 4_000;

/// `GET /batches/{id}/export.csv`
pub async fn csv(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Response {
    download(&visitor.acting_on(&admin.app.store), &id, FileFormat::Csv).await
}

/// `GET /batches/{id}/export.jsonl`
pub async fn json_lines(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Response {
    download(&visitor.acting_on(&admin.app.store), &id, FileFormat::Jsonl).await
}

async fn download(store: &Store, id: &str, format: FileFormat) -> Response {
    let found = async {
        let batch = store.reports().find_batch(id).await?;
        let columns = store.reports().columns(&batch).await?.names;
        let form = store.reports().form(&batch).await?.filter(|form| form.format == format);
        let form = form.unwrap_or_else(|| FileForm::new(format));
        let layout = Layout { columns, form, wide: false };
        let overview = store.reports().batch_overview(&batch).await?;
        Ok((batch, layout, overview.and_then(|batch| batch.name)))
    };
    let (batch, layout, name) = match found.await {
        Ok(found) => found,
        Err(error) => return batch::not_found(&error),
    };
    let (kind, extension) = match format {
        FileFormat::Jsonl => ("application/x-ndjson", "jsonl"),
        _ => ("text/csv; charset=utf-8", "csv"),
    };
    let name = file_name::disposition(name.as_deref(), &batch.batch_id.to_string(), extension);
    let headers = [(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, name)];
    let pieces = pieces(store.reports().export_pages(batch, PAGE), layout);
    (headers, Body::from_stream(pieces)).into_response()
}

/// The file in pieces: the head, then page after page. An error breaks the connection off, so that half a file is
/// never mistaken for a whole one.
fn pieces(
    pages: mpsc::Receiver<Result<ExportPage, StoreError>>,
    layout: Layout,
) -> impl Stream<Item = anyhow::Result<Vec<u8>>> + use<> {
    let mut header = Vec::new();
    if layout.form.format == FileFormat::Csv {
        csv_format::header(&mut header, &layout);
    }
    let pages = stream::unfold(pages, async |mut pages| Some((pages.recv().await?, pages)));
    let rows = pages.map(move |page| written(&page?, &layout));
    stream::once(async { Ok(header) }).chain(rows)
}

fn written(page: &ExportPage, layout: &Layout) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    for row in page.rows() {
        match layout.form.format {
            FileFormat::Jsonl => json_lines_format::row(&mut text, layout, &row),
            _ => csv_format::row(&mut text, layout, &row),
        }?;
    }
    Ok(text)
}
