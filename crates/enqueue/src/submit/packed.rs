//! Rows that were read ahead, packed: all their texts are one, because hundreds of thousands of rows wait at
//! once.

use jobs::{IdentifierKind, Provider};
use smallvec::SmallVec;
use store::{NewRow, NewStep};

use crate::input::Row;

/// Rows on their way to the ledger; an iterator over those that weren't taken yet.
#[derive(Debug, Default)]
pub struct Packed {
    texts: String,
    rows: Vec<PackedRow>,
    taken: usize,
}

/// A row, and where its texts are: its columns, then its identifiers.
#[derive(Debug)]
struct PackedRow {
    number: i64,
    start: usize,
    /// Where each of them ends.
    ends: SmallVec<[usize; 1 + IdentifierKind::ALL.len()]>,
    steps: SmallVec<[NewStep; Provider::ALL.len()]>,
}

impl Packed {
    /// Begins one with room for so many rows, whose texts are as long as those of the one before, and for so many
    /// bytes at most. A text that outgrows its place leaves it behind unused.
    pub fn after(before: &Packed, rows: usize, most_bytes: usize) -> Self {
        let bytes = before.texts.len() / before.rows.len().max(1) * rows;
        let texts = String::with_capacity((bytes + bytes / 16).min(most_bytes));
        Packed { texts, rows: Vec::with_capacity(rows), taken: 0 }
    }

    /// Adds a row of the input as the ledger takes it. Of `providers`, one that it can't be asked at is a step,
    /// too, for people whom other rows make known there.
    pub fn push(&mut self, number: i64, row: &Row, providers: &[Provider]) {
        let start = self.texts.len();
        self.texts.push_str(&row.fields);
        let mut ends = SmallVec::from_iter([self.texts.len()]);
        for identifier in row.identifiers.iter() {
            self.texts.push_str(&identifier.encode());
            ends.push(self.texts.len());
        }
        let steps = providers.iter().map(|&provider| {
            let asked = row.identifiers.for_provider(provider);
            let mut numbered = (0..).zip(row.identifiers.iter());
            let asks_by = numbered.find(|(_, it)| Some(*it) == asked).map(|(nth, _)| nth);
            NewStep { provider, asks_by }
        });
        self.rows.push(PackedRow { number, start, ends, steps: steps.collect() });
    }

    /// How many bytes all texts have.
    pub fn bytes(&self) -> usize {
        self.texts.len()
    }

    /// Puts the rows in the order in which the ledger files the people whom they ask for first; those of one
    /// person as they came.
    pub fn sort(&mut self) {
        let texts = &self.texts;
        self.rows.sort_unstable_by(|a, b| {
            (a.filed_under(texts), a.number).cmp(&(b.filed_under(texts), b.number))
        });
    }
}

impl PackedRow {
    fn fields<'t>(&self, texts: &'t str) -> &'t str {
        &texts[self.start..self.ends[0]]
    }

    fn identifier<'t>(&self, texts: &'t str, nth: usize) -> &'t str {
        &texts[self.ends[nth]..self.ends[nth + 1]]
    }

    /// Where the person whom the row asks for first stands in the ledger's index.
    fn filed_under<'t>(&self, texts: &'t str) -> Option<(Provider, &'t str)> {
        self.steps
            .iter()
            .find_map(|step| Some((step.provider, self.identifier(texts, step.asks_by?.into()))))
    }
}

impl Iterator for Packed {
    type Item = NewRow;

    fn next(&mut self) -> Option<NewRow> {
        let row = self.rows.get(self.taken)?;
        self.taken += 1;
        let identifiers =
            (0..row.ends.len() - 1).map(|nth| row.identifier(&self.texts, nth).into());
        Some(NewRow {
            number: row.number,
            fields: row.fields(&self.texts).into(),
            identifiers: identifiers.collect(),
            steps: row.steps.clone(),
            erased: false,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.rows.len() - self.taken;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Packed {}

#[cfg(test)]
mod tests {
    use jobs::Identifier;

    use super::*;
    use crate::input::{Identifiers, Waterfall};

    fn row(ocean: Option<&str>, linkedin: Option<&str>) -> Row {
        let parse = |kind, text: Option<&str>| Identifier::parse(kind, text?).ok();
        let identifiers = Identifiers {
            ocean: parse(IdentifierKind::OceanPersonId, ocean),
            clodura: None,
            linkedin: parse(IdentifierKind::LinkedinUrl, linkedin),
        };
        let waterfall = Waterfall::of(&identifiers, &Provider::ALL);
        Row { source: 0, line: 1, fields: format!("[{ocean:?}]"), identifiers, waterfall }
    }

    fn packed(rows: &[Row]) -> Packed {
        let mut packed = Packed::default();
        for (number, row) in (1..).zip(rows) {
            packed.push(number, row, &[Provider::Ocean, Provider::Clodura]);
        }
        packed
    }

    #[test]
    fn rows_come_back_as_they_were_read() {
        let address = Some("linkedin.com/in/ada");
        let mut rows =
            packed(&[row(Some("o1"), address), row(None, address), row(Some("ö2"), None)]);
        assert_eq!(rows.len(), 3);
        let asked = |row: &NewRow| -> Vec<Option<String>> {
            row.steps.iter().map(|step| row.asked_by(step).map(|it| it.to_string())).collect()
        };
        let (ocean, linkedin) = (Some("ocean:o1".into()), Some("linkedin.com/in/ada".into()));
        let first = rows.next().unwrap();
        assert_eq!((first.number, &*first.fields), (1, r#"[Some("o1")]"#));
        assert_eq!(first.identifiers.len(), 2);
        assert_eq!(asked(&first), [ocean, linkedin.clone()]);
        assert_eq!(asked(&rows.next().unwrap()), [None, linkedin]);
        let third = rows.next().unwrap();
        assert_eq!((third.number, &*third.fields), (3, r#"[Some("ö2")]"#));
        assert_eq!(asked(&third), [Some("ocean:ö2".into()), None]);
        assert_eq!(rows.len(), 0);
        assert!(rows.next().is_none());
    }

    #[test]
    fn sorted_they_stand_as_they_are_filed_and_the_first_of_a_person_first() {
        let clodura = |slug| row(None, Some(slug));
        let ocean = |id| row(Some(id), None);
        let rows = [
            clodura("linkedin.com/in/a"),
            ocean("z"),
            ocean("b"),
            clodura("linkedin.com/in/a"),
            ocean("b"),
        ];
        let mut rows = packed(&rows);
        rows.sort();
        let numbers: Vec<i64> = rows.map(|row| row.number).collect();
        assert_eq!(numbers, [3, 5, 2, 1, 4]);
    }
}
