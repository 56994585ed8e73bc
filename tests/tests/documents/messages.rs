//! Checks that the log messages and fields of docs/logging.md are in the code.

use end_to_end::repository;

use crate::files;
use crate::markdown::Page;

/// The code of all programs.
fn code() -> String {
    let crates = files(&repository().join("crates"), "rs");
    let programs =
        crates.iter().filter(|path| path.components().any(|part| part.as_os_str() == "src"));
    programs.map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// The cells of the table under a heading.
fn table(page: &Page, heading: &str) -> Vec<Vec<String>> {
    let section =
        page.prose().skip_while(|line| line.trim_start_matches('#').trim() != heading).skip(1);
    let section = section.take_while(|line| !line.starts_with("## "));
    let rows = section.filter(|line| line.starts_with("| ") && !line.starts_with("| ---")).skip(1);
    rows.map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

fn spans(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn messages_are_logged() {
    let (page, code) = (Page::read(&repository().join("docs/logging.md")), code());
    let rows = table(&page, "Levels");
    assert!(rows.len() > 4, "{rows:?}");
    for row in rows {
        for message in row.last().into_iter().flat_map(|cell| spans(cell)) {
            assert!(code.contains(&format!("\"{message}\"")), "no line says {message:?}");
        }
    }
}

/// The last column of the glossary names the place of a word in the code.
#[test]
fn words_of_the_glossary_are_used() {
    let page = Page::read(&repository().join("docs/glossary.md"));
    let (code, all) = (code(), files(&repository(), "rs"));
    let rows = table(&page, "Glossary");
    assert!(rows.len() > 25, "{rows:?}");
    for row in rows {
        let place = row.last().and_then(|cell| spans(cell).next()).unwrap_or_default();
        let known = code.contains(place.trim_start_matches('-'))
            || all.iter().any(|path| path.ends_with(place));
        assert!(!place.is_empty() && known, "{} is not found at {place:?}", row[0]);
    }
}

/// Each row of the last table of docs/adding-a-provider.md names items and their file.
#[test]
fn places_to_look_at_are_there() {
    let page = Page::read(&repository().join("docs/adding-a-provider.md"));
    let rows = table(&page, "What the compiler does not ask for");
    assert!(rows.len() > 5, "{rows:?}");
    for row in rows {
        let named: Vec<&str> = spans(&row[0]).collect();
        let (file, names) = named.split_last().expect("a file");
        // A row may name two places, each with its file.
        for pair in named.windows(2).filter(|pair| pair[1].ends_with(".rs")) {
            let text = std::fs::read_to_string(repository().join("crates").join(pair[1]))
                .unwrap_or_default();
            assert!(text.contains(pair[0]), "{} has no {}", pair[1], pair[0]);
        }
        assert!(file.ends_with(".rs") && !names.is_empty(), "{}", row[0]);
    }
}

#[test]
fn fields_are_logged() {
    let (page, code) = (Page::read(&repository().join("docs/logging.md")), code());
    let rows = table(&page, "Fields");
    assert!(rows.len() > 15, "{rows:?}");
    for row in rows {
        for field in spans(&row[0]) {
            let written = [
                format!("{field} = "),
                format!("{field},"),
                format!("%{field}"),
                format!("?{field}"),
            ];
            assert!(
                written.iter().any(|text| code.contains(text)),
                "no line has the field {field}"
            );
        }
    }
}
