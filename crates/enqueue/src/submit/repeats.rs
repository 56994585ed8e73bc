use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use jobs::IdentifierKind;

use crate::input::Row;
use crate::output::number;

/// How many identifiers of a kind are counted at once. An identifier that occurs in more than a ninth of all rows is
/// never missed.
const COUNTED: usize = 8;
/// An identifier is reported from this many rows on, if they are at least one in [`SHARE`] of all rows.
const FEWEST: u64 = 10;
const SHARE: u64 = 5;

/// Notices an identifier that fills a column, as a formula or a template may do: its rows would be taken for one
/// person. Holds a few counters, however long the input is.
#[derive(Debug, Default)]
pub struct Repeats {
    columns: [Column; IdentifierKind::ALL.len()],
}

#[derive(Debug, Default)]
struct Column {
    rows: u64,
    counters: Vec<Counter>,
}

#[derive(Debug)]
struct Counter {
    hash: u64,
    count: u64,
    first_line: u64,
}

impl Repeats {
    /// Takes in the next good row.
    pub fn add(&mut self, row: &Row) {
        for (kind, column) in IdentifierKind::ALL.into_iter().zip(&mut self.columns) {
            if let Some(identifier) = row.identifiers.get(kind) {
                let mut hasher = DefaultHasher::new();
                identifier.value().hash(&mut hasher);
                column.add(hasher.finish(), row.line);
            }
        }
    }

    /// A line for each column that looks filled.
    pub fn warnings(&self) -> Vec<String> {
        let columns = IdentifierKind::ALL.into_iter().zip(&self.columns);
        columns.filter_map(|(kind, column)| column.warning(kind)).collect()
    }
}

impl Column {
    /// The algorithm of Misra and Gries: if all counters are taken, each is lowered by one.
    fn add(&mut self, hash: u64, first_line: u64) {
        self.rows += 1;
        if let Some(counter) = self.counters.iter_mut().find(|counter| counter.hash == hash) {
            counter.count += 1;
        } else if self.counters.len() < COUNTED {
            self.counters.push(Counter { hash, count: 1, first_line });
        } else {
            self.counters.iter_mut().for_each(|counter| counter.count -= 1);
            self.counters.retain(|counter| counter.count > 0);
        }
    }

    fn warning(&self, kind: IdentifierKind) -> Option<String> {
        let most = self.counters.iter().max_by_key(|counter| counter.count)?;
        let fills_all = most.count == self.rows && self.rows >= 3;
        if !fills_all && (most.count < FEWEST || most.count < self.rows / SHARE) {
            return None;
        }
        let what = if kind == IdentifierKind::LinkedinUrl { "address" } else { "id" };
        let rows = if fills_all {
            "all".to_owned()
        } else {
            format!("at least {}", number(most.count as i64))
        };
        Some(format!(
            "{kind}: the same {what} occurs in {rows} of {} rows, first at line {}; \
             if they are different people, the column was filled by mistake",
            number(self.rows as i64),
            most.first_line,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(hashes: impl Iterator<Item = u64>) -> Option<String> {
        let mut column = Column::default();
        hashes.zip(2..).for_each(|(hash, line)| column.add(hash, line));
        column.warning(IdentifierKind::LinkedinUrl)
    }

    #[test]
    fn one_address_in_every_row_is_said() {
        let all = "linkedin_url: the same address occurs in all of 50 rows, first at line 2; \
                   if they are different people, the column was filled by mistake";
        assert_eq!(warning([7; 50].into_iter()).as_deref(), Some(all));
        assert!(warning([7; 3].into_iter()).is_some());
    }

    #[test]
    fn one_address_in_many_of_many_rows_is_said() {
        let many = warning((0..1_000).map(|n| if n % 2 == 0 { 7 } else { n }));
        assert!(many.is_some_and(|line| line.contains(" of 1,000 rows, first at line 2")));
    }

    #[test]
    fn people_who_are_listed_a_few_times_are_not() {
        assert_eq!(warning([7, 7].into_iter()), None);
        assert_eq!(warning([7, 7, 8].into_iter()), None);
        assert_eq!(warning((0..1_000).map(|n| n / 5)), None);
    }
}
