//! One page of an export: its rows, and the people that they display.

use std::collections::{BTreeSet, HashMap};
use std::ops::RangeInclusive;
use std::sync::Arc;

use db::{Conn, record};
use jobs::{Credits, Timestamp};

use crate::decode::BatchRef;
use crate::error::Result;
use crate::people::suppressed::SUPPRESSED;
use crate::reports::export::hidden::Hidden;
use crate::reports::export::people::People;
use crate::reports::export::row::ExportRow;
use crate::store::Store;

/// If one in this many people of a range is wanted, the whole range is read. A person who is read along with their
/// neighbours costs a tenth of a person who is looked up.
const CLOSE: i64 = 40;

/// People whose ids are this far apart aren't neighbours.
const FAR: i64 = 25 * CLOSE;

record! {
    struct Row {
        row_number: i64,
        fields: String,
        shared: i64,
        ended: Option<String>,
        reveal_id: Option<i64>,
        kept_id: Option<i64>,
    }
}

/// The rows of a page, in their order.
pub(super) struct Rows(Vec<Row>);

impl Rows {
    /// Reads up to `most` of the batch's rows after the row `after`.
    pub(super) async fn read(
        store: &Store,
        batch: &BatchRef,
        after: i64,
        most: usize,
    ) -> Result<Rows> {
        let mut conn = store.db.read().await?;
        let rows = conn
            .fetch_all(
                "SELECT row_number, fields, shared, ended, reveal_id, kept_id FROM batch_rows
                 WHERE batch_id = $1 AND row_number > $2 ORDER BY row_number LIMIT $3",
                &[&batch.id, &after, &(most as i64)],
            )
            .await?;
        Ok(Rows(rows))
    }

    /// The number of the last row.
    pub(super) fn last(&self) -> Option<i64> {
        self.0.last().map(|row| row.row_number)
    }

    fn people(&self) -> BTreeSet<i64> {
        self.0.iter().flat_map(|row| [row.reveal_id, row.kept_id]).flatten().collect()
    }
}

/// Returns the range from the first to the last of the wanted people whose ids lie together. They must be more than half of
/// the wanted, and lie close enough that the rows of the following pages show the people between. A large file's people
/// were put into their order 128,000 at a time; some people may have been there before, elsewhere.
fn neighbours(wanted: &BTreeSet<i64>) -> Option<RangeInclusive<i64>> {
    let wanted: Vec<i64> = wanted.iter().copied().collect();
    let together = wanted.chunk_by(|one, next| next - one < FAR).max_by_key(|some| some.len())?;
    let (first, last) = (*together.first()?, *together.last()?);
    let close = last - first < together.len() as i64 * CLOSE;
    (close && together.len() > wanted.len() / 2).then_some(first..=last)
}

/// The state and the reason that queued rows show instead, by provider: why they can't be sent just now.
type Holds = HashMap<String, (Option<String>, Option<String>)>;

/// A page of a batch's rows with what became of them.
pub struct ExportPage {
    rows: Rows,
    holds: Holds,
    people: Arc<People>,
    others: People,
    hidden: Hidden,
}

impl ExportPage {
    /// Completes rows with the people that they show: some of the people that were read before, and others.
    pub(super) async fn complete(
        store: &Store,
        batch: &BatchRef,
        rows: Rows,
        people: &mut Arc<People>,
    ) -> Result<ExportPage> {
        let mut conn = store.db.read().await?;
        let holds = holds_of(&mut conn, batch.id).await?;
        let wanted = rows.people();
        if !people.are_recent() {
            *people = Arc::default();
        }
        let mut others = people.lacking(&wanted);
        if others.len() > wanted.len() / 2
            && let Some(range) = neighbours(&others)
        {
            *people = Arc::new(People::within(&mut conn, range).await?);
            others = people.lacking(&wanted);
        }
        let others = People::numbered(&mut conn, &others).await?;
        let found = wanted.iter().filter_map(|id| {
            let person = people.find(*id).or_else(|| others.find(*id))?;
            (person.state == "found").then_some((*id, person.phones))
        });
        let hidden = Hidden::among(&mut conn, found.collect()).await?;
        Ok(ExportPage { rows, holds, people: Arc::clone(people), others, hidden })
    }

    /// Its rows as `row_status` shows them, in their order.
    pub fn rows(&self) -> impl Iterator<Item = ExportRow<'_>> {
        self.rows.0.iter().map(|row| self.shown(row))
    }

    fn shown<'a>(&'a self, row: &'a Row) -> ExportRow<'a> {
        let find = |id| self.people.find(id).or_else(|| self.others.find(id));
        let person = row.reveal_id.and_then(find);
        let shown = ExportRow {
            number: row.row_number,
            fields: &row.fields,
            state: person.as_ref().map_or("", |person| person.state),
            provider: person.as_ref().map(|person| person.provider),
            phones: Vec::new(),
            credits: Credits::ZERO,
            reason: person.as_ref().and_then(|person| person.reason),
            revealed_at: None,
        };
        if let Some(why) = &row.ended {
            return ExportRow { state: "cancelled", reason: Some(why), ..shown };
        }
        let Some(person) = person else { return shown };
        let hold = self.holds.get(person.provider).filter(|_| person.state == "queued");
        let (state, reason) = match hold {
            Some((Some(shown_as), why)) => (shown_as.as_str(), why.as_deref()),
            _ => (shown.state, shown.reason),
        };
        let credits = if row.shared == 1 { Credits::ZERO } else { person.credits };
        let Some(mut phones) = row.reveal_id.and_then(|id| self.hidden.leaves(id, person.phones))
        else {
            return ExportRow { state: "cancelled", reason: Some(SUPPRESSED), credits, ..shown };
        };
        let kept = row.kept_id.and_then(|id| self.hidden.leaves(id, find(id)?.phones));
        for phone in kept.into_iter().flatten() {
            if phones.iter().all(|one| one.number != phone.number) {
                phones.push(phone);
            }
        }
        let revealed_at = person.revealed_at.map(Timestamp);
        ExportRow { state, reason, phones, credits, revealed_at, ..shown }
    }
}

record! {
    /// What queued rows show instead at a provider, and why.
    struct HoldRow {
        provider: String,
        shown_as: Option<String>,
        reason: Option<String>,
    }
}

async fn holds_of(conn: &mut Conn, batch: i64) -> Result<Holds> {
    let found: Vec<HoldRow> = conn.fetch_all(
        "SELECT h.provider,
                CASE WHEN t.at_ceiling = 1 THEN 'held' ELSE h.shown_as END AS shown_as,
                CASE WHEN t.at_ceiling = 1 THEN 'batch_ceiling' ELSE h.reason END AS reason
         FROM provider_holds h LEFT JOIN batch_totals t ON t.provider = h.provider AND t.batch_id = $1",
        &[&batch],
    )
    .await?;
    Ok(found.into_iter().map(|row| (row.provider, (row.shown_as, row.reason))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_those_who_lie_together() {
        let every = |step: i64, many: i64| (0..many).map(move |n| 10_000 + n * step);
        let close: BTreeSet<i64> = every(30, 100).collect();
        assert_eq!(neighbours(&close), Some(10_000..=12_970));
        let with_others: BTreeSet<i64> = every(30, 100).chain([3, 7, 2_000_000]).collect();
        assert_eq!(neighbours(&with_others), Some(10_000..=12_970));
        assert_eq!(neighbours(&every(60, 100).collect()), None);
        assert_eq!(neighbours(&every(2_000, 100).collect()), None);
        assert_eq!(neighbours(&BTreeSet::new()), None);
    }
}
