//! The operations so far, and how often they allow a person to be charged. The model knows the operations, not
//! how the software works.

use std::collections::BTreeSet;

use end_to_end::Row;
use sandbox::Config;

use crate::operation::{Ending, Submit};
use crate::people::{Kind, Person, identifiers, person};

/// An identifier of a row.
pub type Key = (Kind, String);

/// All operations that matter for the books.
#[derive(Debug)]
pub struct Model {
    /// The sandbox's configuration.
    pub config: Config,
    /// Every submit, in order; those that were killed may or may not have become batches.
    pub submits: Vec<Submit>,
    /// Batches that were cancelled.
    pub cancelled: BTreeSet<usize>,
    /// Batches that were retried with `--pay-again`, once for each time.
    pub paid_again: Vec<usize>,
    /// How often finished people were purged.
    pub purges: u32,
    /// Identifiers by which people were erased.
    pub erased: BTreeSet<String>,
}

impl Model {
    /// A model without any operation.
    pub fn new(config: Config) -> Model {
        let submits = Vec::new();
        Model {
            config,
            submits,
            cancelled: BTreeSet::new(),
            paid_again: Vec::new(),
            purges: 0,
            erased: BTreeSet::new(),
        }
    }

    /// The name of a submit and of its batch.
    pub fn name(batch: usize) -> String {
        format!("batch-{batch:02}")
    }

    /// All identifiers that a chain of rows connects with `seeds`, including `seeds`.
    pub fn connected(&self, seeds: impl IntoIterator<Item = Key>) -> BTreeSet<Key> {
        let mut known: BTreeSet<Key> = seeds.into_iter().collect();
        loop {
            let before = known.len();
            for row in self.submits.iter().flat_map(|submit| &submit.rows) {
                if keys(row).any(|key| known.contains(&key)) {
                    known.extend(keys(row));
                }
            }
            if known.len() == before {
                return known;
            }
        }
    }

    /// All groups of identifiers that rows connect, or that mean one person, which an answer may show.
    pub fn groups(&self) -> Vec<BTreeSet<Key>> {
        let mut groups: Vec<(BTreeSet<Person>, BTreeSet<Key>)> = Vec::new();
        for key in self.submits.iter().flat_map(|submit| &submit.rows).flat_map(keys) {
            if groups.iter().any(|(_, group)| group.contains(&key)) {
                continue;
            }
            let mut group = self.connected([key]);
            let mut people: BTreeSet<Person> =
                group.iter().map(|(kind, id)| person(&self.config, *kind, id)).collect();
            while let Some(at) = groups.iter().position(|(others, _)| !others.is_disjoint(&people))
            {
                let (others, keys) = groups.swap_remove(at);
                people.extend(others);
                group.extend(keys);
            }
            groups.push((people, group));
        }
        groups.into_iter().map(|(_, group)| group).collect()
    }

    /// The group of a row.
    pub fn group_of(&self, row: &Row) -> BTreeSet<Key> {
        let own: BTreeSet<Key> = keys(row).collect();
        self.groups().into_iter().find(|group| !group.is_disjoint(&own)).unwrap_or(own)
    }

    /// Whether a person of a group was erased.
    pub fn touched_by_erasure(&self, group: &BTreeSet<Key>) -> bool {
        group.iter().any(|(_, identifier)| self.erased.contains(identifier))
    }

    /// The most charges allowed for a person. `repeats` of them are allowed because a request of
    /// unknown outcome was sent again.
    pub fn allowed(&self, who: &Person, repeats: usize) -> usize {
        let all = self.submits.iter().flat_map(|submit| &submit.rows).flat_map(keys);
        let names: BTreeSet<Key> =
            all.filter(|(kind, id)| person(&self.config, *kind, id) == *who).collect();
        let group = self.connected(names.iter().cloned());
        let concerned =
            |submit: &Submit| submit.rows.iter().flat_map(keys).any(|key| group.contains(&key));
        let refreshed = self.submits.iter().filter(|s| s.refresh.is_some() && concerned(s)).count();
        let paid_again = self.paid_again.iter().filter(|n| concerned(&self.submits[**n])).count();
        let again = refreshed + paid_again + self.purges as usize + repeats;
        let known_as_one =
            self.purges == 0 && is_one_person(&group) && self.linked_from_the_start(&names);
        if known_as_one { 1 + again } else { names.len().max(1) * (1 + again) }
    }

    /// Whether the first row with any of these names has all of them, and was certainly loaded first.
    fn linked_from_the_start(&self, names: &BTreeSet<Key>) -> bool {
        let first = self.submits.iter().find_map(|submit| {
            let row = submit.rows.iter().find(|row| keys(row).any(|key| names.contains(&key)))?;
            Some((submit.ending, row))
        });
        let Some((ending, row)) = first else { return true };
        let row: BTreeSet<Key> = keys(row).collect();
        ending == Ending::Waited && names.is_subset(&row)
    }
}

/// The identifiers of a row, each in its one form.
pub fn keys(row: &Row) -> impl Iterator<Item = Key> + '_ {
    identifiers(row).map(|(kind, text)| (kind, text.to_owned()))
}

/// Whether the group has at most one identifier of each kind.
pub fn is_one_person(group: &BTreeSet<Key>) -> bool {
    let kinds: BTreeSet<Kind> = group.iter().map(|(kind, _)| *kind).collect();
    kinds.len() == group.len()
}
