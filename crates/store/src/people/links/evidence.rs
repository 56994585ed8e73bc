use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use db::Conn;
use jobs::identity::{Links, Persons, is_address};

use crate::error::Result;
use crate::people::links::new_links::NewLinks;
use crate::people::links::{NewLink, read, sources};
use crate::people::new_row::NewRow;

/// The most rows of a contradiction that are named.
const MOST_NAMED: usize = 10;

/// Rows that together assign one identifier to several people. The people stay separate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contradiction {
    /// The first rows of the batch that contradict each other.
    pub rows: BTreeSet<i64>,
    /// Whether there are more such rows.
    pub more: bool,
    /// Whether other batches or answers contradict these rows, too.
    pub elsewhere: bool,
}

impl Contradiction {
    /// Adds what another chunk knows of the same contradiction.
    pub fn add(&mut self, other: Contradiction) {
        self.rows.extend(other.rows);
        self.more |= other.more;
        self.elsewhere |= other.elsewhere;
        while self.rows.len() > MOST_NAMED {
            self.more = true;
            self.rows.pop_last();
        }
    }
}

/// The persons that follow from the evidence of rows and of the ledger.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    pub(crate) persons: Persons,
    /// Evidence that the ledger doesn't have yet, or not from a batch that is sure to stay.
    pub(crate) new: Vec<NewLink>,
}

type PairKey = (Arc<str>, Arc<str>);

impl Evidence {
    /// The evidence that rows of `batch` state, or rows that are to be previewed, and what the ledger knows beside it.
    pub(crate) async fn of_rows(
        conn: &mut Conn,
        batch: Option<i64>,
        new_rows: &[NewRow],
    ) -> Result<Evidence> {
        let identifiers = new_rows.iter().flat_map(|row| &row.identifiers);
        let mut evidence = NewLinks::read(conn, identifiers.cloned(), batch).await?;
        for row in new_rows {
            for (one, other) in pairs_of(row) {
                let links = &evidence.links;
                // An id with too many addresses joins none of them, so more pairs add nothing.
                if !links.is_filled_down(one) && !links.is_filled_down(other) {
                    evidence.add(one, other, Some(row.number));
                }
            }
        }
        let links = &evidence.links;
        let persons = if links.is_empty() { Persons::default() } else { links.persons() };
        Ok(Evidence { persons, new: evidence.into_new() })
    }

    /// Drops the new evidence of these rows, since their people are known already.
    pub(crate) fn leave_out(&mut self, rows: &HashSet<i64>) {
        self.new.retain(|link| link.row.is_none_or(|row| !rows.contains(&row)));
    }

    /// Returns the rows that contradict each other or known evidence. Each contradiction has its own number.
    pub(crate) async fn contradictions(
        &self,
        conn: &mut Conn,
        batch: Option<i64>,
        new_rows: &[NewRow],
    ) -> Result<BTreeMap<u64, Contradiction>> {
        let mut all: BTreeMap<u64, Contradiction> = BTreeMap::new();
        for found in self.persons.contradictions() {
            let mut rows = Contradiction::default();
            for row in new_rows {
                if pairs_of(row).any(|pair| found.links.contains(&ordered(pair))) {
                    rows.add(Contradiction {
                        rows: [row.number].into(),
                        ..Contradiction::default()
                    });
                }
            }
            if rows.rows.is_empty() {
                continue;
            }
            for (by, row) in sources(conn, &found.links).await? {
                match row.filter(|_| by.is_some() && by == batch) {
                    Some(row) => {
                        rows.add(Contradiction { rows: [row].into(), ..Contradiction::default() });
                    }
                    None => rows.elsewhere = true,
                }
            }
            all.entry(number_of(&found.links)).or_default().add(rows);
        }
        Ok(all)
    }
}

/// Returns a contradiction's number: a hash that is the same for the same address in every chunk, and doesn't
/// reveal the address.
fn number_of(links: &BTreeSet<PairKey>) -> u64 {
    let addresses: HashSet<&Arc<str>> =
        links.iter().flat_map(|(one, other)| [one, other]).filter(|one| is_address(one)).collect();
    let mut hasher = DefaultHasher::new();
    match addresses.len() {
        1 => addresses.into_iter().for_each(|address| address.hash(&mut hasher)),
        _ => links.first().hash(&mut hasher),
    }
    hasher.finish()
}

fn ordered((one, other): (&Arc<str>, &Arc<str>)) -> PairKey {
    let (one, other) = if one < other { (one, other) } else { (other, one) };
    (Arc::clone(one), Arc::clone(other))
}

/// Returns all pairs of identifiers on a row.
fn pairs_of(row: &NewRow) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
    let all = row.identifiers.iter().enumerate();
    all.flat_map(|(nth, one)| row.identifiers[nth + 1..].iter().map(move |other| (one, other)))
}

/// Returns the people with these identifiers.
pub(crate) async fn persons_of(
    conn: &mut Conn,
    identifiers: impl IntoIterator<Item = Arc<str>>,
) -> Result<Persons> {
    let links: Links = read(conn, identifiers).await?;
    Ok(if links.is_empty() { Persons::default() } else { links.persons() })
}
