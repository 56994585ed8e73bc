//! Rows that were read ahead, packed: all their texts are one string, and little else is kept of a row, because
//! hundreds of thousands of rows wait at once.

use jobs::{IdentifierKind, Provider};
use smallvec::SmallVec;
use store::{NewRow, NewStep, RejectedRow};

use crate::input::{BadRow, Row};

/// Rows on their way to the ledger, in the order in which they were read; an iterator over the rows that weren't
/// taken yet.
#[derive(Debug, Default)]
pub struct RowBuffer {
    /// The number of the row that was read first.
    first: i64,
    /// The providers chosen for the batch.
    providers: SmallVec<[Provider; Provider::ALL.len()]>,
    /// Where LinkedIn addresses are looked up, if anywhere.
    lookup: Option<Provider>,
    texts: String,
    rows: Vec<PackedRow>,
    taken: usize,
    /// Bad rows between these rows; the batch leaves them out.
    rejected: Vec<RejectedRow>,
    rejected_bytes: usize,
}

/// A row, and where its texts are: its columns, then its identifiers.
#[derive(Debug)]
struct PackedRow {
    /// How many rows of this buffer were read before it.
    place: u32,
    start: u32,
    /// Where each text ends. Places without a text hold the end of the last text.
    ends: [u32; 1 + IdentifierKind::ALL.len()],
    /// By which of its identifiers each of [`Provider::ALL`] may be asked.
    asks_by: [Option<u8>; Provider::ALL.len()],
}

impl RowBuffer {
    /// Begins with the first row of a batch for which these providers were chosen.
    pub fn of(providers: &[Provider], lookup: Option<Provider>) -> Self {
        let providers = SmallVec::from_slice(providers);
        RowBuffer { first: 1, providers, lookup, ..RowBuffer::default() }
    }

    /// Begins with the row that follows `before`. Has room for `rows` rows whose texts are as long as those before,
    /// and for `most_bytes` at most. A text that outgrows its place leaves it behind unused.
    pub fn after(before: &RowBuffer, rows: usize, most_bytes: usize) -> Self {
        let bytes = before.texts.len() / before.rows.len().max(1) * rows;
        RowBuffer {
            first: before.first + before.rows.len() as i64,
            providers: before.providers.clone(),
            lookup: before.lookup,
            texts: String::with_capacity((bytes + bytes / 16).min(most_bytes)),
            rows: Vec::with_capacity(rows),
            ..RowBuffer::default()
        }
    }

    /// Notes a bad row behind the row that was added last. `position` is its place among the bad rows.
    pub fn push_rejected(&mut self, position: i64, bad: &BadRow) {
        let after_row = self.first + self.rows.len() as i64 - 1;
        let (fields, reason) = (bad.fields.clone(), bad.message());
        self.rejected_bytes += fields.len() + reason.len();
        self.rejected.push(RejectedRow { position, after_row, fields, reason });
    }

    /// Takes the bad rows; a second call returns none.
    pub fn take_rejected(&mut self) -> Vec<RejectedRow> {
        std::mem::take(&mut self.rejected)
    }

    /// Whether the buffer has no rows. The iterator's length is the number of remaining rows.
    pub fn brings_nothing(&self) -> bool {
        self.rows.is_empty() && self.rejected.is_empty()
    }

    /// Adds the next row of the input, as the ledger takes it. A provider at which the row can't be asked is a step,
    /// too: other rows may make its person known there.
    pub fn push(&mut self, row: &Row) {
        let start = self.end();
        self.texts.push_str(&row.fields);
        let mut ends = [self.end(); _];
        for (nth, identifier) in (1..).zip(row.identifiers.iter()) {
            self.texts.push_str(&identifier.encode());
            ends[nth..].fill(self.end());
        }
        let asks_by = Provider::ALL.map(|provider| {
            let asked = row.identifiers.for_provider(provider, self.lookup);
            let mut numbered = (0..).zip(row.identifiers.iter());
            numbered.find(|(_, it)| Some(*it) == asked).map(|(nth, _)| nth)
        });
        let place = self.rows.len() as u32;
        self.rows.push(PackedRow { place, start, ends, asks_by });
    }

    /// The length is far below what `u32` holds: no row is longer than a few megabytes, and few rows of such a length
    /// are read ahead.
    fn end(&self) -> u32 {
        self.texts.len() as u32
    }

    /// How many bytes all texts have, those of bad rows included.
    pub fn bytes(&self) -> usize {
        self.texts.len() + self.rejected_bytes
    }

    /// Puts the rows in the order in which the ledger files the people that they ask for first. Rows of one person
    /// keep their order.
    pub fn sort(&mut self) {
        let (texts, providers) = (&self.texts, &self.providers);
        let filed = |row: &PackedRow| (row.filed_under(texts, providers), row.place);
        self.rows.sort_unstable_by(|a, b| filed(a).cmp(&filed(b)));
    }
}

impl PackedRow {
    fn fields<'t>(&self, texts: &'t str) -> &'t str {
        &texts[self.start as usize..self.ends[0] as usize]
    }

    fn identifiers<'t>(&self, texts: &'t str) -> impl Iterator<Item = &'t str> {
        let ends = self.ends.windows(2).filter(|ends| ends[0] < ends[1]);
        ends.map(|ends| &texts[ends[0] as usize..ends[1] as usize])
    }

    /// Where the ledger's index has the person that the row asks for first.
    fn filed_under<'t>(
        &self,
        texts: &'t str,
        providers: &[Provider],
    ) -> Option<(Provider, &'t str)> {
        let mut steps = self.steps(providers);
        let (provider, nth) = steps.find_map(|step| Some((step.provider, step.asks_by?)))?;
        Some((provider, self.identifiers(texts).nth(nth.into())?))
    }

    fn steps(&self, providers: &[Provider]) -> impl Iterator<Item = NewStep> {
        let asks_by = |provider| self.asks_by[provider as usize];
        providers.iter().map(move |&provider| NewStep { provider, asks_by: asks_by(provider) })
    }
}

impl Iterator for RowBuffer {
    type Item = NewRow;

    fn next(&mut self) -> Option<NewRow> {
        let row = self.rows.get(self.taken)?;
        self.taken += 1;
        Some(NewRow {
            number: self.first + i64::from(row.place),
            fields: row.fields(&self.texts).into(),
            identifiers: row.identifiers(&self.texts).map(Into::into).collect(),
            steps: row.steps(&self.providers).collect(),
            erased: false,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.rows.len() - self.taken;
        (left, Some(left))
    }
}

impl ExactSizeIterator for RowBuffer {}

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
        let waterfall = Waterfall::of(&identifiers, &Provider::ALL, None);
        Row { source: 0, line: 1, fields: format!("[{ocean:?}]"), identifiers, waterfall }
    }

    fn buffer_for(providers: &[Provider], rows: &[Row]) -> RowBuffer {
        let mut buffer = RowBuffer::of(providers, None);
        for row in rows {
            buffer.push(row);
        }
        buffer
    }

    fn buffer(rows: &[Row]) -> RowBuffer {
        buffer_for(&[Provider::Ocean, Provider::Clodura], rows)
    }

    #[test]
    fn rows_come_back_as_they_were_read() {
        let address = Some("linkedin.com/in/ada");
        let mut rows =
            buffer(&[row(Some("o1"), address), row(None, address), row(Some("ö2"), None)]);
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
    fn numbers_go_on_from_run_to_run() {
        let first = buffer(&[row(Some("o1"), None), row(Some("o2"), None)]);
        let mut second = RowBuffer::after(&first, 1, 100);
        second.push(&row(Some("o3"), None));
        let numbers: Vec<i64> = first.chain(second).map(|row| row.number).collect();
        assert_eq!(numbers, [1, 2, 3]);
    }

    #[test]
    fn steps_are_those_that_were_chosen_as_they_were_chosen() {
        let (ocean, clodura) = (Provider::Ocean, Provider::Clodura);
        let rows = [row(Some("o1"), Some("linkedin.com/in/a"))];
        for chosen in [&[clodura, ocean] as &[_], &[clodura], &[ocean, ocean, clodura]] {
            let row = buffer_for(chosen, &rows).next().unwrap();
            let steps: Vec<_> = row.steps.iter().map(|s| (s.provider, s.asks_by)).collect();
            let asked = |&provider| (provider, Some(if provider == ocean { 0 } else { 1 }));
            assert_eq!(steps, chosen.iter().map(asked).collect::<Vec<_>>());
        }
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
        let mut rows = buffer(&rows);
        rows.sort();
        let numbers: Vec<i64> = rows.map(|row| row.number).collect();
        assert_eq!(numbers, [3, 5, 2, 1, 4]);
    }
}
