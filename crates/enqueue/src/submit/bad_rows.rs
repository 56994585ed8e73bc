use std::collections::HashMap;
use std::sync::Arc;

use crate::input::BadRow;
use crate::output::count;
use jobs::words::harmless;

/// How many different faults are distinguished; rows with further faults are only counted.
const MOST_FAULTS: usize = 1_000;
/// Up to this many rows with one fault have a line each; more rows share one line.
const LISTED_EACH: usize = 5;

/// Bad rows, in words. Many rows with the same fault share one line.
#[derive(Debug, Default)]
pub struct BadRows {
    /// The number of all bad rows.
    pub count: i64,
    faults: Vec<Fault>,
    by_message: HashMap<(Arc<str>, String), usize>,
}

#[derive(Debug)]
struct Fault {
    name: Arc<str>,
    message: String,
    first_line: u64,
    count: i64,
    /// The first rows with this fault, each with how many bad rows came before it.
    rows: Vec<(i64, String)>,
}

impl BadRows {
    /// Adds the next bad row.
    pub fn add(&mut self, row: &BadRow) {
        let before = self.count;
        self.count += 1;
        let key = (row.name.clone(), row.in_general());
        let place = match self.by_message.get(&key) {
            Some(place) => *place,
            None if self.faults.len() < MOST_FAULTS => {
                let (name, message) = key.clone();
                let (first_line, rows) = (row.line, Vec::new());
                self.faults.push(Fault { name, message, first_line, count: 0, rows });
                self.by_message.insert(key, self.faults.len() - 1);
                self.faults.len() - 1
            }
            None => return,
        };
        let Some(fault) = self.faults.get_mut(place) else { return };
        fault.count += 1;
        if fault.rows.len() < LISTED_EACH {
            fault.rows.push((before, row.to_string()));
        }
    }

    /// How many bad rows [`BadRows::lines`] speak of.
    pub fn listed(&self) -> i64 {
        self.faults.iter().map(|fault| fault.count).sum()
    }

    /// A line for each bad row, or for many with the same fault, in the order of the input.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<(i64, String)> = self.faults.iter().flat_map(Fault::lines).collect();
        lines.sort_by_key(|(before, _)| *before);
        lines.into_iter().map(|(_, line)| line).collect()
    }
}

impl Fault {
    fn lines(&self) -> Vec<(i64, String)> {
        if self.count <= LISTED_EACH as i64 {
            return self.rows.clone();
        }
        let first = self.rows.first().map_or(0, |(before, _)| *before);
        let (rows, name) = (count(self.count, "row"), harmless(&self.name));
        let line = format!("{name}: {rows}: {}, first at line {}", self.message, self.first_line);
        vec![(first, line)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::RowError;

    fn bad(line: u64, reason: RowError) -> BadRow {
        let column = Some("Note\u{1b}[2J".to_owned());
        let (raw, fields) = (Vec::new(), String::new());
        BadRow { source: 0, name: "p.csv".into(), line, column, reason, raw, fields }
    }

    #[test]
    fn many_equal_ones_are_one_line_and_few_are_each_their_own() {
        let mut rows = BadRows::default();
        rows.add(&bad(2, RowError::NotText));
        for line in 3..1_003 {
            rows.add(&bad(line, RowError::NotUtf8 { line, byte: line as usize, value: 0xe9 }));
        }
        rows.add(&bad(1_003, RowError::NotText));
        assert_eq!((rows.count, rows.listed()), (1_002, 1_002));
        assert_eq!(
            rows.lines(),
            [
                "p.csv:2: Note [2J: must be text or a whole number",
                "p.csv: 1,000 rows: Note [2J: not UTF-8; save the file as UTF-8, first at line 3",
                "p.csv:1003: Note [2J: must be text or a whole number",
            ]
        );
    }

    #[test]
    fn memory_is_bounded_however_many_faults_there_are() {
        let mut rows = BadRows::default();
        for n in 0..5_000 {
            rows.add(&bad(n, RowError::DuplicateKey(n.to_string())));
        }
        assert_eq!((rows.count, rows.listed(), rows.lines().len()), (5_000, 1_000, 1_000));
    }
}
