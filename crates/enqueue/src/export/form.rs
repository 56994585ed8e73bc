use std::ffi::OsStr;
use std::path::Path;

use jobs::{FileForm, FileFormat};

/// Endings of which no export is written: CSV under such a name would not open.
const NOT_WRITTEN: [&str; 10] =
    ["xls", "xlsm", "xlsb", "ods", "numbers", "json", "parquet", "html", "pdf", "zip"];

/// Why an output can't have the format that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongForm {
    /// A format of which no file is written.
    #[error("{name}: no {ending} is written; name it .csv, .xlsx or .jsonl")]
    NotWritten {
        /// The output's name.
        name: String,
        /// The output's ending.
        ending: String,
    },
    /// `--format` and the name differ.
    #[error("--format and the name {0} say different formats; change one of them")]
    Contradiction(String),
}

/// Chooses the form of an export: the form in which the batch came, unless `--format` or the output's ending names
/// another format.
pub fn form_of(
    came: FileForm,
    asked: Option<FileFormat>,
    output: Option<&Path>,
) -> Result<FileForm, WrongForm> {
    let promise = output.map_or(Ok(None), promised)?;
    if let (Some(asked), Some(promise), Some(output)) = (asked, &promise, output)
        && asked != promise.format
    {
        return Err(WrongForm::Contradiction(output.display().to_string()));
    }
    let format = asked.or(promise.as_ref().map(|promise| promise.format)).unwrap_or(came.format);
    let mut form = if format == came.format { came } else { FileForm::new(format) };
    if promise.is_some_and(|promise| promise.tabs) {
        form.separator = '\t';
    }
    Ok(form)
}

struct Promise {
    format: FileFormat,
    /// Whether tabs separate the fields.
    tabs: bool,
}

/// Reads the format that a name promises by its ending.
fn promised(path: &Path) -> Result<Option<Promise>, WrongForm> {
    let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
    if NOT_WRITTEN.contains(&ending.as_str()) {
        return Err(WrongForm::NotWritten { name: path.display().to_string(), ending });
    }
    let tabs = matches!(ending.as_str(), "tsv" | "tab");
    let format = if tabs { Some(FileFormat::Csv) } else { ending.parse().ok() };
    Ok(format.map(|format| Promise { format, tabs }))
}

#[cfg(test)]
mod tests {
    use jobs::FileFormat::{Csv, Jsonl, Xlsx};
    use jobs::LineEnd;

    use super::*;

    fn european() -> FileForm {
        let line_end = LineEnd::CrLf;
        FileForm { separator: ';', byte_order_mark: true, line_end, ..FileForm::new(Csv) }
    }

    fn form(came: FileForm, asked: Option<FileFormat>, output: Option<&str>) -> FileForm {
        form_of(came, asked, output.map(Path::new)).unwrap()
    }

    #[test]
    fn the_form_stays_unless_another_format_is_said() {
        for (asked, output) in [
            (None, None),
            (Some(Csv), None),
            (None, Some("a.CSV")),
            (None, Some("a.txt")),
            (None, Some("a")),
        ] {
            assert_eq!(form(european(), asked, output), european(), "{asked:?} {output:?}");
        }
        let sheet = FileForm { sheet: Some("People".into()), ..FileForm::new(Xlsx) };
        assert_eq!(form(sheet.clone(), None, Some("a.xlsx")), sheet);
        assert_eq!(form(sheet, Some(Csv), None), FileForm::new(Csv));
        assert_eq!(form(european(), None, Some("a.xlsx")), FileForm::new(Xlsx));
        assert_eq!(form(european(), Some(Jsonl), Some("a.ndjson")), FileForm::new(Jsonl));
        assert_eq!(
            form(european(), None, Some("a.tsv")),
            FileForm { separator: '\t', ..european() }
        );
    }

    #[test]
    fn a_name_of_another_format_is_refused() {
        for (asked, output) in [
            (Some(Csv), "out.jsonl"),
            (Some(Jsonl), "out.CSV"),
            (Some(Csv), "out.xlsx"),
            (Some(Xlsx), "out.tsv"),
            (Some(Csv), "out.xls"),
            (None, "out.ods"),
            (None, "out.json"),
        ] {
            assert!(form_of(european(), asked, Some(Path::new(output))).is_err(), "{output}");
        }
    }
}
