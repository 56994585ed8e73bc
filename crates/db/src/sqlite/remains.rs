//! What a SQLite file may still hold of rows that are gone. `secure_delete` overwrites what a statement deletes. But
//! where a full page is rebuilt, the cells that went to its neighbour may stay in its unused part, and a
//! copy there outlives the row.

use std::collections::HashSet;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::{io, iter};

use aho_corasick::AhoCorasick;

/// The file's own header, on its first page.
const FILE_HEADER: usize = 100;

/// How many pages are read at once.
const AT_ONCE: usize = 256;

/// Whether one of these texts occurs anywhere in a file except in its rows.
pub(super) fn remains(file: &File, texts: &AhoCorasick) -> io::Result<bool> {
    let Some(layout) = Layout::read(file)? else { return Ok(false) };
    let free = layout.free_pages(file)?;
    let mut chunk = vec![0; layout.page * AT_ONCE];
    for first in (0..layout.pages).step_by(AT_ONCE) {
        let pages = AT_ONCE.min(layout.pages - first);
        let bytes = &mut chunk[..pages * layout.page];
        file.read_exact_at(bytes, (first * layout.page) as u64)?;
        for (n, page) in bytes.chunks_exact(layout.page).enumerate() {
            let number = first + n;
            let parts = match free.contains(&number) {
                true => iter::once(0..page.len()).collect(),
                false => unused(page, number, layout.usable),
            };
            if parts.into_iter().any(|part| texts.is_match(&page[part])) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// How a file is divided. Pages are counted from 0 here.
struct Layout {
    page: usize,
    usable: usize,
    pages: usize,
}

impl Layout {
    /// None for a file that holds nothing yet.
    fn read(file: &File) -> io::Result<Option<Layout>> {
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        if length < FILE_HEADER {
            return Ok(None);
        }
        let mut header = [0; FILE_HEADER];
        file.read_exact_at(&mut header, 0)?;
        let page = match number(&header, 16, 2) {
            1 => 65_536,
            size => size,
        };
        let usable = page.saturating_sub(usize::from(header[20]));
        Ok((page >= 512).then(|| Layout { page, usable, pages: length / page }))
    }

    /// The pages that are free for other use: a list of lists.
    fn free_pages(&self, file: &File) -> io::Result<HashSet<usize>> {
        let mut free = HashSet::new();
        let mut page = vec![0; self.page];
        file.read_exact_at(&mut page[..FILE_HEADER], 0)?;
        let mut next = number(&page, 32, 4);
        while next > 0 && next <= self.pages && free.insert(next - 1) {
            file.read_exact_at(&mut page, ((next - 1) * self.page) as u64)?;
            let listed = number(&page, 4, 4).min(self.usable / 4 - 2);
            let numbers = (0..listed).map(|n| number(&page, 8 + 4 * n, 4));
            free.extend(numbers.filter(|number| *number > 0).map(|number| number - 1));
            next = number(&page, 0, 4);
        }
        Ok(free)
    }
}

/// The parts of a page that hold nothing: of a tree's page the gap before its cells and the blocks that were freed among
/// them. What is no page of a tree may be the rest of a long value, so all of it counts: rather once too often.
fn unused(page: &[u8], number_of_page: usize, usable: usize) -> Vec<Range<usize>> {
    let start = if number_of_page == 0 { FILE_HEADER } else { 0 };
    let header = match page[start] {
        2 | 5 => 12,
        10 | 13 => 8,
        _ => return std::iter::once(0..page.len()).collect(),
    };
    let cells = number(page, start + 3, 2);
    let content = match number(page, start + 5, 2) {
        0 => 65_536,
        place => place,
    };
    let gap = start + header + 2 * cells;
    let mut parts: Vec<Range<usize>> = Vec::new();
    parts.push(gap..content);
    let mut block = number(page, start + 1, 2);
    while block >= content && block + 4 <= usable {
        parts.push(block + 4..block + number(page, block + 2, 2));
        let next = number(page, block, 2);
        if next <= block {
            break;
        }
        block = next;
    }
    let end = usable.min(page.len());
    parts.retain(|part| part.start < part.end && part.end <= end);
    parts
}

/// A number of so many bytes; 0 beyond the end.
fn number(bytes: &[u8], at: usize, length: usize) -> usize {
    let bytes = bytes.get(at..at + length).unwrap_or_default();
    bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    fn holds(file: &std::path::Path, text: &str) -> bool {
        remains(&File::open(file).unwrap(), &AhoCorasick::new([text]).unwrap()).unwrap()
    }

    /// A database with 4,000 rows of some 40 bytes, `n` of them in each.
    fn filled(file: &std::path::Path, secure: bool) -> Connection {
        let conn = Connection::open(file).unwrap();
        conn.pragma_update(None, "secure_delete", secure).unwrap();
        conn.execute_batch(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
             WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 4000)
             INSERT INTO people SELECT n, 'person ' || ((n * 7919) % 4001) || ' of the test, Esq.' FROM n;",
        )
        .unwrap();
        conn
    }

    #[test]
    fn rows_are_no_remains() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.db");
        filled(&file, true);
        assert!(!holds(&file, "nothing of the sort"));
        assert!(std::fs::read(&file).unwrap().windows(9).any(|bytes| bytes == b"person 17"));
    }

    #[test]
    fn deleted_rows_are_found_until_the_file_is_packed() {
        let dir = tempfile::tempdir().unwrap();
        for (name, delete) in [
            ("blocks", "DELETE FROM people WHERE name LIKE 'person 17 %'"),
            ("free pages", "DELETE FROM people"),
        ] {
            let file = dir.path().join(name);
            let conn = filled(&file, false);
            conn.execute(delete, []).unwrap();
            assert!(holds(&file, "person 17 of the test"), "{name}");
            conn.execute_batch("VACUUM").unwrap();
            assert!(!holds(&file, "person 17 of the test"), "{name}");
        }
    }

    #[test]
    fn a_damaged_page_ends_nothing() {
        let mut page = vec![0xff; 1024];
        for kind in [2, 5, 10, 13, 0xff] {
            page[0] = kind;
            for part in unused(&page, 1, 1024) {
                assert!(part.end <= 1024);
            }
        }
        assert!(unused(&[0; 1024], 0, 1024).len() == 1);
    }
}
